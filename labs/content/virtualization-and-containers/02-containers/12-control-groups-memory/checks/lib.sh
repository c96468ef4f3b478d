# The group small, on cgroup version 1 or 2 under one vocabulary. Sourced by the checks.
MIB=1048576
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    VERSION=2
    ABOVE=/sys/fs/cgroup
    LIMIT=memory.max
    USAGE=memory.current
    EVENTS=memory.events
    BACK=/sys/fs/cgroup/rest
else
    VERSION=1
    ABOVE=/sys/fs/cgroup/memory
    LIMIT=memory.limit_in_bytes
    USAGE=memory.usage_in_bytes
    EVENTS=memory.oom_control
    BACK=/sys/fs/cgroup/memory
fi
GROUP=$ABOVE/small

need_group() {
    [ -d "$GROUP" ] && return
    echo "not yet because there is no group $GROUP"
    exit 1
}

# In MiB; a group without a limit says "max", or a number near the top of 64 bits.
limit_mib() {
    awk -v mib=$MIB '{ print (($1 == "max" || $1 > 1e15) ? "none" : int($1 / mib)) }' "$GROUP/$LIMIT"
}

usage_mib() {
    awk -v mib=$MIB '{ print int($1 / mib) }' "$GROUP/$USAGE"
}

killed() {
    awk '$1 == "oom_kill" { print $2 }' "$GROUP/$EVENTS"
}

# How many MiB of memory of its own a process has in use.
resident_mib() {
    awk '$1 == "RssAnon:" { print int($2 / 1024) }' "/proc/$1/status" 2>/dev/null
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

# The member that uses the most, as "MiB pid".
largest() {
    for pid in $(cat "$GROUP/cgroup.procs"); do
        [ "$(resident_mib "$pid")" ] && echo "$(resident_mib "$pid") $pid"
    done | sort -rn | head -n 1
}

# Says so if only shells are in the group: a terminal's shell counts, but starts everything else in there too.
complain_of_shell() {
    for pid in $(cat "$GROUP/cgroup.procs"); do
        [ "$(name_of "$pid")" = bash ] || return
    done
    echo "not yet because the group holds only a shell, pid $pid. If it is your terminal's, bring it back: echo $pid > $BACK/cgroup.procs"
    exit 1
}
