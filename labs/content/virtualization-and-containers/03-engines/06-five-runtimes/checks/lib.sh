# Five containers on one root filesystem, by what their runtimes and the kernel say. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
PATH=/.bulkhead/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin
ROOTFS=/root/five/rootfs

# The host's number of the first process of the container, if its runtime knows it.
pid_of() {
    case $1 in
        crun|runc) $1 state "five-$1" 2>/dev/null | jq -r 'select(.status == "running") | .pid' ;;
        podman) podman inspect --format '{{.State.Pid}}' five-podman 2>/dev/null | grep -vx 0 ;;
        lxc) lxc-info -n five-lxc -pH 2>/dev/null | grep -E '^[0-9]+$' ;;
        gvisor) runsc --network=none state five-gvisor 2>/dev/null | jq -r 'select(.status == "running") | .pid' ;;
    esac
}

# Ends the check unless the container runs, in a pid namespace of its own, on the lab's root filesystem; sets pid.
need() {
    pid=$(pid_of "$1")
    if [ -z "$pid" ] || [ ! -d "/proc/$pid" ]; then
        echo "not yet because $1 knows no running container five-$1"
    elif [ "$(ns_of "$pid" pid)" = "$(ns_of 1 pid)" ]; then
        echo "not yet because five-$1 (pid $pid) has no pid namespace of its own"
    elif [ "$1" != gvisor ] && [ "$(stat -c %d:%i "/proc/$pid/root/bin/busybox" 2>/dev/null)" != "$(stat -c %d:%i $ROOTFS/bin/busybox)" ]; then
        echo "not yet because five-$1 (pid $pid) runs on other files than $ROOTFS"
    else
        return
    fi
    exit 1
}
