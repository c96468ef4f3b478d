# Processes and UTS namespaces as the host sees them. Sourced by the checks.
HOST_UTS=$(readlink /proc/1/ns/uts)

uts_of() {
    readlink "/proc/$1/ns/uts" 2>/dev/null
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

parent_of() {
    awk '$1 == "PPid:" { print $2 }' "/proc/$1/status" 2>/dev/null
}

# Living processes that are not in the host's namespace.
elsewhere() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        uts=$(uts_of "$pid")
        [ "$uts" ] && [ "$uts" != "$HOST_UTS" ] && echo "$pid"
    done
}

# Those of them that came in by themselves: their parent lives in another namespace.
entered() {
    for pid in $(elsewhere); do
        [ "$(uts_of "$pid")" != "$(uts_of "$(parent_of "$pid")")" ] && echo "$pid"
    done
}

host_name_in() {
    nsenter -t "$1" -u hostname 2>/dev/null
}
