. /.bulkhead/checks/lib.sh
need_master
killed=$(ask /metrics/snapshot | $JQ '[to_entries[] | select(.key | test("^master/task_failed/.*/reason_container_limitation_memory$")) | .value] | add // 0')
failed=$(metric_of hungry tasks/terminal/task_failed)
if [ "${failed%.*}" -gt 0 ] && [ "${killed%.*}" -gt 0 ]; then
    echo "a task of hungry was killed at its memory limit"
    exit 0
elif [ "$(metric_of hungry tasks/terminal/task_finished)" != 0 ]; then
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        echo "the task took more than it asked for, and nobody minded: Mesos 1.11 knows no cgroup v2"
        exit 0
    fi
    echo "not yet because the task of hungry finished: it has to take more memory than its limit"
elif [ "${failed%.*}" -gt 0 ]; then
    echo "not yet because the task of hungry failed, but not for its memory: what does the last line of framework run say?"
elif [ "$(metric_of hungry calls/subscribe)" = 0 ]; then
    echo "not yet because no framework called hungry has ever registered"
else
    echo "not yet because no task of hungry has ended so far"
fi
exit 1
