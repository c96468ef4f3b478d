# Processes that live in the root filesystem of the bundle. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
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

first_pid() {
    for pid in $(contained); do
        [ "$(inside_pid "$pid")" = 1 ] && echo "$pid" && return
    done
}
