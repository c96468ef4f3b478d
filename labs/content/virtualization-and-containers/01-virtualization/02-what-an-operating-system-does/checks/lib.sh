# What the kernel says of processes. Sourced by the checks.
. /.bulkhead/checks/course/process.sh

# Every process that has used at least a second: "user system pid name", in hundredths of a second. PID 1 and shells
# that only wait fall out by themselves.
workers() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        user=$(stat_field "$pid" 12); system=$(stat_field "$pid" 13)
        [ "$user" ] && [ "$system" ] && [ $((user + system)) -ge 100 ] && [ "$(stat_field "$pid" 1)" = R ] &&
            echo "$user $system $pid $(name_of "$pid")"
    done
}

io_line() {
    awk -v key="$2:" '$1 == key { print $2 }' "$1"
}
