# Processes and time namespaces as the host sees them. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
HOST_TIME=$(readlink /proc/1/ns/time)

# Processes that made a time namespace for their children and did not go in.
waiting() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        children=$(readlink "$folder/ns/time_for_children" 2>/dev/null)
        [ "$children" ] && [ "$children" != "$HOST_TIME" ] && [ "$(ns_of "$pid" time)" = "$HOST_TIME" ] && echo "$pid"
    done
}

# The offset of the clock $2 in whole seconds for the children of process $1.
offset() {
    awk -v clock="$2" '$1 == clock { print $2 }' "/proc/$1/timens_offsets" 2>/dev/null
}

# Explains that nobody is in a time namespace of its own, and ends the check.
complain() {
    for pid in $(waiting); do
        echo "not yet because $(name_of "$pid") (pid $pid) made a time namespace and stayed outside: only its children are in it"
        exit 1
    done
    echo "not yet because no living process is in a time namespace of its own"
    exit 1
}
