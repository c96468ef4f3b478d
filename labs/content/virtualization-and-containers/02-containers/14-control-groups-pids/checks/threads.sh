. /.bulkhead/checks/lib.sh
need_group pids threads
processes=$(wc -l < $TREE/threads/cgroup.procs)
tasks=$(cat $TREE/threads/pids.current)
if [ "$processes" = 1 ] && [ "$tasks" -ge 5 ]; then
    pid=$(cat $TREE/threads/cgroup.procs)
    echo "$(name_of "$pid") (pid $pid) alone counts for $tasks tasks"
    exit 0
fi
if [ "$processes" = 0 ]; then
    echo "not yet because the group threads is empty"
elif [ "$processes" = 1 ]; then
    echo "not yet because the process in threads counts for $tasks: it has made fewer than five threads, or they have ended"
else
    echo "not yet because there are $processes processes in threads: one is wanted, with many threads"
fi
exit 1
