# The machines m1 to m4, by their processes: each has the file etc/machine in its root. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
OUTSIDE=$(readlink /proc/1/ns/pid)

machine_of() {
    [ "$(readlink "/proc/$1/ns/pid")" != "$OUTSIDE" ] && cat "/proc/$1/root/etc/machine" 2>/dev/null
}

processes_of() {
    for folder in /proc/[0-9]*; do
        [ "$(machine_of "${folder#/proc/}")" = "$1" ] && echo "${folder#/proc/}"
    done
}

service_of() {
    for pid in $(processes_of "$1"); do
        [ "$(name_of "$pid")" = httpd ] && echo "$pid" && return
    done
}

# The process of machine m1 that has used the most processor time and still runs, if it is a second or more.
loop_of_m1() {
    for pid in $(processes_of m1); do
        [ "$(stat_field "$pid" 1)" = R ] && [ "$(stat_field "$pid" 12)" -ge 20 ] && echo "$(stat_field "$pid" 12) $pid"
    done | sort -rn | awk 'NR == 1 { print $2 }'
}

# The number in a file, or an explanation and the end.
number_in() {
    [ -s "$1" ] || { echo "not yet because $1 does not exist or is empty"; exit 1; }
    tr -d ' %\n\r\t' < "$1" | grep -E '^[0-9]+([.,][0-9]+)?$' | tr ',' '.' && return
    echo "not yet because $1 holds something else than one number" >&2
    return 1
}
