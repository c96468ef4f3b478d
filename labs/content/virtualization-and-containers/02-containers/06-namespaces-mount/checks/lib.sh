# Processes and mount namespaces as the host sees them. Sourced by the checks.
. /.bulkhead/checks/course/process.sh

# The type of the filesystem that process $1 sees mounted on $2, the topmost if there are several.
# mountinfo: field 5 is the mount point; the type follows a field "-" (proc(5)).
type_at() {
    awk -v at="$2" '$5 == at { for (i = 7; i < NF; i++) if ($i == "-") type = $(i + 1) } END { print type }' \
        "/proc/$1/mountinfo" 2>/dev/null
}
