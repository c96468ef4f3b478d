. /.bulkhead/checks/lib.sh
need_framework hand
done=$(echo "$framework" | $JQ -r '[.completed_tasks[], .tasks[] | select(.state == "TASK_FINISHED")] | last // empty | .id')
last=$(echo "$framework" | $JQ -r '[.completed_tasks[], .tasks[]] | last // empty | .state')
if [ "$done" ]; then
    echo "task $done: TASK_FINISHED"
    exit 0
fi
case $last in
    "") echo "not yet because hand has launched no task: framework accept hand node-a CPUS MEM COMMAND" ;;
    TASK_FAILED) echo "not yet because the task failed: framework tasks hand says why" ;;
    TASK_ERROR) echo "not yet because the master refused the task: it asks for more than the offer has" ;;
    TASK_RUNNING) echo "not yet because the task still runs" ;;
    *) echo "not yet because the task is in the state $last" ;;
esac
exit 1
