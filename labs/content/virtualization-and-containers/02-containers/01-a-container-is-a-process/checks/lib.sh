# Processes that live in the root filesystem of the bundle. Sourced by the checks.
HOST_PIDS=$(readlink /proc/1/ns/pid)

in_box() {
    for folder in /proc/[0-9]*; do
        [ -f "$folder/root/etc/box-release" ] && echo "${folder#/proc/}"
    done
}

contained() {
    for pid in $(in_box); do
        inside=$(readlink "/proc/$pid/ns/pid") || continue
        [ "$inside" != "$HOST_PIDS" ] && echo "$pid"
    done
}

inside_pid() {
    awk '$1 == "NSpid:" { print $NF }' "/proc/$1/status" 2>/dev/null
}

first_pid() {
    for pid in $(contained); do
        [ "$(inside_pid "$pid")" = 1 ] && echo "$pid" && return
    done
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}
