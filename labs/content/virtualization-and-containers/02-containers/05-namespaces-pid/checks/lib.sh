# Processes and pid namespaces as the host sees them. Sourced by the checks.
HOST_PIDS=$(readlink /proc/1/ns/pid)

pids_of() {
    readlink "/proc/$1/ns/pid" 2>/dev/null
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

status_of() {
    awk -v key="$2:" '$1 == key { $1 = ""; sub(/^ /, ""); print }' "/proc/$1/status" 2>/dev/null
}

# The last number of NSpid is the one in the process's own namespace.
inside_pid() {
    status_of "$1" NSpid | awk '{ print $NF }'
}

# Living processes outside the host's pid namespace. A dead one that waits for its parent has no namespace link.
elsewhere() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        pids=$(pids_of "$pid")
        [ "$pids" ] && [ "$pids" != "$HOST_PIDS" ] && echo "$pid"
    done
}

# The first processes of namespaces.
firsts() {
    for pid in $(elsewhere); do
        [ "$(inside_pid "$pid")" = 1 ] && echo "$pid"
    done
}

# Does the /proc that this process sees belong to the namespace it lives in?
has_own_proc() {
    [ "$(readlink "/proc/$1/root/proc/1/ns/pid" 2>/dev/null)" = "$(pids_of "$1")" ]
}
