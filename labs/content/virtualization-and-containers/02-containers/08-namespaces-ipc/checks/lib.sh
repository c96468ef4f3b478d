# Processes and IPC namespaces as the host sees them. Sourced by the checks.
HOST_IPC=$(readlink /proc/1/ns/ipc)
BUSYBOX=/.bulkhead/bin/busybox

ipc_of() {
    readlink "/proc/$1/ns/ipc" 2>/dev/null
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

# Living processes that are not in the host's IPC namespace.
elsewhere() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        ipc=$(ipc_of "$pid")
        [ "$ipc" ] && [ "$ipc" != "$HOST_IPC" ] && echo "$pid"
    done
}

# The file $2 of /proc as a process in the IPC namespace of $1 reads it.
seen_by() {
    $BUSYBOX nsenter -t "$1" -i $BUSYBOX cat "$2" 2>/dev/null
}

# How many segments of at least $1 bytes stand in the table on standard input, used by nobody if $2 is given.
# /proc/sysvipc/shm: field 4 is the size, field 7 the number of users (proc(5)).
segments() {
    awk -v least="$1" -v unused="$2" 'NR > 1 && $4 >= least && (unused == "" || $7 == 0) { n++ } END { print n + 0 }'
}

need_elsewhere() {
    [ "$(elsewhere)" ] && return
    echo "not yet because no living process has an IPC namespace of its own: it goes away with its last process"
    exit 1
}
