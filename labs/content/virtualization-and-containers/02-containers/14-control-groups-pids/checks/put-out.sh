. /.bulkhead/checks/lib.sh
need_group pids few
left=$(cat $TREE/few/pids.current)
if [ "$(refusals few)" -lt 50 ]; then
    echo "not yet because in the group few, forks refused so far: $(refusals few)"
elif [ "$left" != 0 ] && [ "$(cat $TREE/few/pids.max)" = 0 ]; then
    echo "not yet because $left tasks are left in the group few; none can be born any more, so kill them now"
elif [ "$left" != 0 ]; then
    echo "not yet because $left tasks are in the group few, and they multiply: stop that first with pids.max"
else
    echo "refused $(refusals few) times, and the group is empty"
    exit 0
fi
exit 1
