# Groups of the cpu controller, on cgroup version 1 or 2 under one vocabulary. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
. /.bulkhead/checks/course/cgroup.sh
TREE=$(groups_of cpu)

weight_of() {
    cat "$TREE/$1/cpu.weight" 2>/dev/null || cat "$TREE/$1/cpu.shares"
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
