# Groups of the pids controller, on cgroup version 1 or 2. Sourced by the checks.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then TREE=/sys/fs/cgroup; else TREE=/sys/fs/cgroup/pids; fi

need_group() {
    [ -d "$TREE/$1" ] && return
    for other in /sys/fs/cgroup/*/"$1"; do
        [ -d "$other" ] && echo "not yet because $other belongs to another controller; the groups of pids are in $TREE" && exit 1
    done
    echo "not yet because there is no group $TREE/$1"
    exit 1
}

refusals() {
    awk '$1 == "max" { print $2 }' "$TREE/$1/pids.events"
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}
