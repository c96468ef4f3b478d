# Groups of the pids controller, on cgroup version 1 or 2. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
. /.bulkhead/checks/course/cgroup.sh
TREE=$(groups_of pids)

refusals() {
    awk '$1 == "max" { print $2 }' "$TREE/$1/pids.events"
}
