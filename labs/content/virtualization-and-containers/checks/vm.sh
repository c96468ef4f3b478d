# Virtual machines by their QEMU processes and monitors, as the kernel and QEMU show them. Sourced by checks.
. /.bulkhead/checks/course/process.sh

# The process that runs the machine $1, if it lives.
qemu_of() {
    for folder in /proc/[0-9]*; do
        case $(readlink "$folder/exe" 2>/dev/null) in */qemu-system-*) ;; *) continue ;; esac
        tr '\0' '\n' < "$folder/cmdline" | grep -A 1 -x -e '-name' | grep -qE "^$1(,|\$)" && echo "${folder#/proc/}"
    done | head -n 1
}

# The value of option $2 of process $1.
option_of() {
    tr '\0' '\n' < "/proc/$1/cmdline" | grep -A 1 -x -e "$2" | tail -n 1
}

# One thread for each virtual processor, by name.
processors_of() {
    cat "/proc/$1"/task/*/comm 2>/dev/null | grep -c '^CPU [0-9]*/TCG'
}

# What QEMU says: the machine, a QMP command, and the fields of the answer to print, each on a line.
ask() {
    /usr/bin/python3 -I /.bulkhead/checks/course/ask.py "$@" 2>/dev/null
}

need_running() {
    [ "$(qemu_of "$1")" ] && return
    if [ -d "/run/vm/$1" ]; then
        echo "not yet because the machine $1 does not run any more: vm start $1"
    else
        echo "not yet because there is no machine called $1: vm start $1"
    fi
    exit 1
}

has_prompt() {
    grep -qF 'guest# ' "/run/vm/$1/console" 2>/dev/null
}
