. /.bulkhead/checks/lib.sh
for first in $(firsts); do
    has_own_proc "$first" || continue
    target=$first
    for pid in $(elsewhere); do
        parent=$(status_of "$pid" PPid)
        [ "$pid" != "$first" ] && [ "$(pids_of "$pid")" = "$(pids_of "$first")" ] || continue
        if [ "$(pids_of "$parent")" = "$(pids_of "$first")" ]; then
            child=$pid
        elif has_own_proc "$pid"; then
            echo "$(name_of "$pid"): pid $(inside_pid "$pid") inside, $pid outside, in $(pids_of "$pid")"
            exit 0
        else
            without=$pid
        fi
    done
done
if [ -z "$target" ]; then
    echo "not yet because no namespace of the step before is left: its first process must live"
elif [ "$without" ]; then
    echo "not yet because $(name_of "$without") (pid $without) joined the pid namespace and reads the host's /proc: it needs the mount namespace too"
elif [ "$child" ]; then
    echo "not yet because $(name_of "$child") (pid $child) was born inside; let one come in from the host"
else
    echo "not yet because $(name_of "$target") (pid $target) is alone in its namespace"
fi
exit 1
