# Processes and mount namespaces as the host sees them. Sourced by the checks.
HOST_MOUNTS=$(readlink /proc/1/ns/mnt)

mounts_of() {
    readlink "/proc/$1/ns/mnt" 2>/dev/null
}

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

# Living processes that are not in the host's mount namespace.
elsewhere() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        mounts=$(mounts_of "$pid")
        [ "$mounts" ] && [ "$mounts" != "$HOST_MOUNTS" ] && echo "$pid"
    done
}

# The type of the filesystem that process $1 sees mounted on $2, the topmost if there are several.
# mountinfo: field 5 is the mount point; the type follows a field "-" (proc(5)).
type_at() {
    awk -v at="$2" '$5 == at { for (i = 7; i < NF; i++) if ($i == "-") type = $(i + 1) } END { print type }' \
        "/proc/$1/mountinfo" 2>/dev/null
}

need_elsewhere() {
    [ "$(elsewhere)" ] && return
    echo "not yet because no living process has a mount namespace of its own: it goes away with its last process"
    exit 1
}
