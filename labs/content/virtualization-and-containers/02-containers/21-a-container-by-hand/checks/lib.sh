# The rungs of the ladder, each as a question to the kernel about one process. Sourced by the checks.
. /.bulkhead/checks/course/process.sh

is_own() {
    [ "$(readlink "/proc/$1/ns/$2")" != "$(readlink "/proc/1/ns/$2")" ]
}

# The filesystem on the process's /: its type.
root_type() {
    awk '$5 == "/" { for (i = 7; i < NF; i++) if ($i == "-") type = $(i + 1) } END { print type }' "/proc/$1/mountinfo"
}

# The memory limit of its group in bytes; a group without one says max, or a number near the top of 64 bits.
limit_of() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/memory.max"
    else
        cat "/sys/fs/cgroup/memory$(sed -n 's/.*:memory://p' "/proc/$1/cgroup")/memory.limit_in_bytes"
    fi 2>/dev/null
}

has_numbers() { is_own "$1" pid && [ "$(inside_pid "$1")" = 1 ]; }
no_numbers() { echo "its number is $(inside_pid "$1"), in the pid namespace of $(is_own "$1" pid && echo its own || echo the host)"; }

# Who joins a mount namespace gets its root: if that is not the box, the root was moved with chroot only.
has_root() { is_own "$1" mnt && nsenter -t "$1" -m /bin/cat /etc/box-release >/dev/null 2>&1; }
no_root() { is_own "$1" mnt && echo "its mount namespace still has the host's root: chroot, not pivot_root" || echo "it has the host's table of mounts"; }

has_closed() { ! grep -q ' /old[ /]' "/proc/$1/mountinfo"; }
no_closed() { echo "the old root can still be reached at /old: umount -l /old"; }

has_proc() { [ "$(readlink "/proc/$1/root/proc/1/ns/pid")" = "$(readlink "/proc/$1/ns/pid")" ]; }
no_proc() { echo "its /proc is missing or the host's: it has to be mounted inside"; }

has_users() { [ "$(awk '{ $1 = $1; print }' "/proc/$1/uid_map")" = "0 10000 1000" ] && [ "$(awk '$1 == "Uid:" { print $3 }' "/proc/$1/status")" = 10000 ]; }
no_users() {
    if ! is_own "$1" user; then echo "its root is the host's root: it has no user namespace"; return; fi
    echo "its map is $(awk '{ $1 = $1; print }' "/proc/$1/uid_map"), and it is user $(awk '$1 == "Uid:" { print $3 }' "/proc/$1/status") outside, not 10000"
}

has_limit() { [ "$(limit_of "$1")" = 67108864 ]; }
no_limit() { echo "its group is $(grep -E ':memory:|^0::' "/proc/$1/cgroup" | head -n 1 | cut -d: -f3), with the limit $(limit_of "$1"), not 64 MiB"; }

has_layer() { [ "$(root_type "$1")" = overlay ] && [ "$(awk '$5 == "/" { print $4 }' "/proc/$1/mountinfo")" = / ]; }
no_layer() { echo "its root is not the overlay of /srv/root, but a part of what the host has"; }

has_network() { is_own "$1" net && nsenter -t "$1" -n $BUSYBOX ip -o -f inet address show | grep -q ' 10.0.9.2/24 '; }
no_network() { is_own "$1" net && echo "no interface in its network has the address 10.0.9.2/24" || echo "its network is the host's"; }

# Processes that have the box for their root.
boxed() {
    for folder in /proc/[0-9]*; do
        [ -f "$folder/root/etc/box-release" ] && echo "${folder#/proc/}"
    done
}

# climb RUNG ...: sets pid to a process that has them all, or ends the check with what the best one lacks.
climb() {
    best=-1
    for pid in $(boxed); do
        height=0
        for rung in "$@"; do
            if ! "has_$rung" "$pid"; then
                [ $height -gt $best ] && best=$height && lacks="$(name_of "$pid") (pid $pid): $("no_$rung" "$pid")"
                continue 2
            fi
            height=$(($height + 1))
        done
        return
    done
    echo "not yet because ${lacks:-no living process has the box for its root}"
    exit 1
}
