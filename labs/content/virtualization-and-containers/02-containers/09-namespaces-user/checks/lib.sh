# The process's user number as the host counts: the second field is the effective one (proc(5)).
. /.bulkhead/checks/course/process.sh
uid_of() {
    awk '$1 == "Uid:" { print $3 }' "/proc/$1/status" 2>/dev/null
}

# Its map, from our point of view, in one line with single spaces.
map_of() {
    awk '{ $1 = $1; printf "%s%s", sep, $0; sep = "; " }' "/proc/$1/uid_map" 2>/dev/null
}

HOST_MAP=$(map_of 1)

# Living processes with another map than the host's, or none: they are in another user namespace.
elsewhere() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        grep -q '^State:.*[ZX]' "$folder/status" 2>/dev/null && continue
        [ -e "$folder/status" ] && [ "$(map_of "$pid")" != "$HOST_MAP" ] && echo "$pid"
    done
}

# Those of them that are student outside and root inside.
students() {
    for pid in $(elsewhere); do
        [ "$(uid_of "$pid")" = 1000 ] && [ "$(map_of "$pid")" = "0 1000 1" ] && echo "$pid"
    done
}

is_own() {
    [ "$(readlink "/proc/$1/ns/$2")" != "$(readlink "/proc/self/ns/$2")" ]
}
