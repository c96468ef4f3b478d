# Control groups, on cgroup version 1 or 2 under one vocabulary. Sourced by checks.

# The folder with the groups of the controller $1.
groups_of() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else echo "/sys/fs/cgroup/$1"; fi
}

# Ends the check unless the group $2 of the controller $1 is there.
need_group() {
    tree=$(groups_of "$1")
    [ -d "$tree/$2" ] && return
    for other in /sys/fs/cgroup/*/"$2"; do
        [ -d "$other" ] && echo "not yet because $other belongs to another controller; the groups of $1 are in $tree" && exit 1
    done
    echo "not yet because there is no group $tree/$2"
    exit 1
}
