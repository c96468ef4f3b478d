# The LXC container box, by its files and by what the kernel says about its processes. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
BOX=/var/lib/lxc/box

# Its first process: number 1 in a pid namespace of its own, child of the monitor that LXC names after the container.
first_process() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        [ "$(readlink "$folder/ns/pid")" != "$(readlink /proc/1/ns/pid)" ] || continue
        [ "$(awk '$1 == "NSpid:" { print $NF }' "$folder/status" 2>/dev/null)" = 1 ] || continue
        grep -q 'lxc monitor.* box' "/proc/$(parent_of "$pid")/cmdline" 2>/dev/null && echo "$pid" && return
    done
}

need_created() {
    [ -f $BOX/config ] && [ -d $BOX/rootfs/sbin ] && return
    if [ -d $BOX ]; then
        echo "not yet because $BOX is there, and not complete: lxc-destroy --force --name box, then create it again"
    else
        echo "not yet because there is no container box in /var/lib/lxc"
    fi
    exit 1
}

need_running() {
    need_created
    pid=$(first_process)
    [ "$pid" ] && return
    echo "not yet because box is not running"
    exit 1
}

page() {
    $BUSYBOX wget -q -O - http://10.0.3.10/ 2>/dev/null
}

# Field 22 of stat is the start time, counted behind the name in brackets (proc(5)).
started() {
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $20 }'
}
