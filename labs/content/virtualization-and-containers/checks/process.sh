# Processes as the kernel shows them from outside their containers. Sourced by checks and by the files beside this one.
BUSYBOX=/.bulkhead/bin/busybox

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

parent_of() {
    awk '$1 == "PPid:" { print $2 }' "/proc/$1/status" 2>/dev/null
}

# The number of process $1 in its own, innermost pid namespace.
inside_pid() {
    awk '$1 == "NSpid:" { print $NF }' "/proc/$1/status" 2>/dev/null
}

# Field n of /proc/pid/stat, counted behind the name, which may hold blanks: state is 1, user time 12, system time 13,
# niceness 17, start time 20 (proc(5) counts the pid and the name as well: add 2).
stat_field() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f "$2"
}

rss_kib() {
    awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status" 2>/dev/null
}

rss_mib() {
    awk '$1 == "VmRSS:" { print int($2 / 1024) }' "/proc/$1/status" 2>/dev/null
}

# The namespace of type $2 (pid, mnt, net, ...) that process $1 is in.
ns_of() {
    readlink "/proc/$1/ns/$2" 2>/dev/null
}

# Living processes in another namespace of type $1 than the sandbox's first process.
elsewhere() {
    here=$(ns_of 1 "$1")
    for folder in /proc/[0-9]*; do
        theirs=$(ns_of "${folder#/proc/}" "$1")
        [ "$theirs" ] && [ "$theirs" != "$here" ] && echo "${folder#/proc/}"
    done
}

# Ends the check if there is none; $2 is the word for such a namespace.
need_elsewhere() {
    [ "$(elsewhere "$1")" ] && return
    echo "not yet because no living process has $2 of its own: it goes away with its last process"
    exit 1
}

# The first process, with process numbers of its own, whose root filesystem holds the file $1.
container_with() {
    for pid in $(elsewhere pid); do
        [ -f "/proc/$pid/root/$1" ] && echo "$pid" && return
    done
}
