. /.bulkhead/checks/lib.sh
if [ ! -d $TREE/ship ]; then
    echo "not yet because there is no group $TREE/ship"
    exit 1
fi
for pid in $(crew); do
    echo "$(name_of "$pid") (pid $pid) is in $(group_of "$pid"), and reads $(group_seen "$pid" "$pid")"
    exit 0
done
for pid in $(elsewhere cgroup); do
    if [ "$(group_of "$pid")" = /ship ]; then
        reason="$(name_of "$pid") (pid $pid) still reads $(group_seen "$pid" "$pid"): its namespace is older than its move. Move first"
    else
        reason="$(name_of "$pid") (pid $pid) has a namespace of its own, and is in the group $(group_of "$pid")"
    fi
done
if [ -z "$reason" ] && [ "$(cat $TREE/ship/cgroup.procs)" ]; then
    reason="there are processes in ship, and all are in the host's cgroup namespace"
fi
echo "not yet because ${reason:-no living process has a cgroup namespace of its own}"
exit 1
