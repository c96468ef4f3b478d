# Processes, their groups and their cgroup namespaces as the host sees them. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    TREE=/sys/fs/cgroup
    LINE='^0:'
else
    TREE=/sys/fs/cgroup/memory
    LINE=':memory:'
fi

# The path of the group of process $1 as we see it.
group_of() {
    grep "$LINE" "/proc/$1/cgroup" 2>/dev/null | cut -d: -f3
}

# The same path as it is seen from the cgroup namespace of process $2.
# Our busybox knows no cgroup namespaces, so the image's nsenter joins.
group_seen() {
    /usr/bin/nsenter --target "$2" --cgroup $BUSYBOX grep "$LINE" "/proc/$1/cgroup" 2>/dev/null | cut -d: -f3
}

# Those of them that are in ship, and see it as their top.
crew() {
    for pid in $(elsewhere cgroup); do
        [ "$(group_of "$pid")" = /ship ] && [ "$(group_seen "$pid" "$pid")" = / ] && echo "$pid"
    done
}
