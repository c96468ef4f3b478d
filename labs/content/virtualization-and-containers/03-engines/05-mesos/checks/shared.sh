. /.bulkhead/checks/lib.sh
need_master
for name in red blue; do
    if [ "$(metric_of $name calls/subscribe)" = 0 ]; then
        echo "not yet because no framework called $name has ever registered"
        exit 1
    fi
    count=$(metric_of $name tasks/terminal/task_finished)
    if [ "${count%.*}" -lt 4 ]; then
        echo "not yet because $name has finished $count tasks of 4. If it waits: who holds the offers?"
        exit 1
    fi
done
first=$(from_state '[.completed_frameworks[] | select(.name == "red" or .name == "blue")] | (map(.registered_time) | max) < (map(.unregistered_time) | min)')
if [ "$first" = false ]; then
    echo "not yet because red and blue ran one after the other: start the second while the first is at work"
    exit 1
fi
echo "red and blue shared the agents, four tasks and more each"
