# Processes and IPC namespaces as the host sees them. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
HOST_IPC=$(readlink /proc/1/ns/ipc)

# The file $2 of /proc as a process in the IPC namespace of $1 reads it.
seen_by() {
    $BUSYBOX nsenter -t "$1" -i $BUSYBOX cat "$2" 2>/dev/null
}

# How many segments of at least $1 bytes stand in the table on standard input, used by nobody if $2 is given.
# /proc/sysvipc/shm: field 4 is the size, field 7 the number of users (proc(5)).
segments() {
    awk -v least="$1" -v unused="$2" 'NR > 1 && $4 >= least && (unused == "" || $7 == 0) { n++ } END { print n + 0 }'
}
