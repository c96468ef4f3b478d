# An App Container Image, rkt's folders, and what the kernel says about processes below them. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
ACI=/root/web.aci
RKT=/var/lib/rkt

# The image without its compression, if it has one.
unpacked() {
    $BUSYBOX gzip -dc "$1" 2>/dev/null || $BUSYBOX cat "$1"
}

hash_of() {
    $BUSYBOX sha512sum | $BUSYBOX cut -c 1-64
}

need_image() {
    if [ ! -f $ACI ]; then
        echo "not yet because there is no file $ACI"
        exit 1
    fi
    complaint=$(/usr/bin/actool validate $ACI 2>&1) && return
    echo "not yet because actool says: $(echo "$complaint" | $BUSYBOX tail -n 1)"
    exit 1
}

# Processes whose root directory is that of the app $1 in a pod: chroot keeps the part of the path behind the pod's root.
processes_of() {
    for folder in /proc/[0-9]*; do
        case $($BUSYBOX readlink "$folder/root" 2>/dev/null) in
            */opt/stage2/$1/rootfs) echo "${folder#/proc/}" ;;
        esac
    done
}
