# Groups of the cpu controller, on cgroup version 1 or 2 under one vocabulary. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
. /.bulkhead/checks/course/cgroup.sh
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    TREE=/sys/fs/cgroup
    BACK=/sys/fs/cgroup/rest
else
    TREE=/sys/fs/cgroup/cpu
    BACK=$TREE
fi

# The quota of a group in percent of a CPU, or "none".
quota_of() {
    if [ -e "$TREE/$1/cpu.max" ]; then
        awk '{ print ($1 == "max" ? "none" : int($1 * 100 / $2)) }' "$TREE/$1/cpu.max"
    else
        cat "$TREE/$1/cpu.cfs_quota_us" "$TREE/$1/cpu.cfs_period_us" |
            awk 'NR == 1 { quota = $1 } NR == 2 { print (quota < 0 ? "none" : int(quota * 100 / $1)) }'
    fi
}

weight_of() {
    cat "$TREE/$1/cpu.weight" 2>/dev/null || cat "$TREE/$1/cpu.shares"
}

throttled() {
    awk '$1 == "nr_throttled" { print $2 }' "$TREE/$1/cpu.stat"
}

members() {
    cat "$TREE/$1/cgroup.procs"
}

# CPU time of a process in clock ticks: fields 14 and 15 of stat, counted behind the name in brackets (proc(5)).
ticks_of() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $12 + $13 }'
}

cpus_of() {
    awk '$1 == "Cpus_allowed_list:" { print $2 }' "/proc/$1/status" 2>/dev/null
}
