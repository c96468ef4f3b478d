# Processes that execute main.py, and which Python they are. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
HOST_PIDS=$(readlink /proc/1/ns/pid)

# Processes that execute a main.py with python.
programs() {
    for folder in /proc/[0-9]*; do
        grep -q 'python.*main\.py' "$folder/cmdline" 2>/dev/null && readlink "$folder/exe" | grep -q python && echo "${folder#/proc/}"
    done
}

# The Python that process $1 is: 2.7, 3.11.
version_of() {
    readlink "/proc/$1/exe" | sed 's/.*python//'
}

# The root filesystem of process $1, by its device and number.
root_of() {
    stat -L -c '%d:%i' "/proc/$1/root/." 2>/dev/null
}

is_contained() {
    [ "$(readlink "/proc/$1/ns/pid")" != "$HOST_PIDS" ]
}
