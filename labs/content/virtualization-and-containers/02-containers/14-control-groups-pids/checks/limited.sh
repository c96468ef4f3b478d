. /.bulkhead/checks/lib.sh
need_group pids few
limit=$(cat $TREE/few/pids.max)
case $limit in
    10) echo "the group few has room for 10 tasks, and holds $(cat $TREE/few/pids.current)"; exit 0 ;;
    max) echo "not yet because the group few has no limit: max means as many as the group above allows" ;;
    *) echo "not yet because the limit of few is $limit, not 10" ;;
esac
exit 1
