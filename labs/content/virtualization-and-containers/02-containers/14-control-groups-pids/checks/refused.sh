. /.bulkhead/checks/lib.sh
need_group pids few
if [ "$(refusals few)" -gt 0 ]; then
    echo "forks refused in the group few: $(refusals few)"
    exit 0
fi
if [ "$(cat $TREE/few/pids.current)" = 0 ]; then
    echo "not yet because nobody is in the group few: what was started, was started outside"
else
    echo "not yet because $(cat $TREE/few/pids.current) of $(cat $TREE/few/pids.max) places are taken: nobody has wanted more than there are"
fi
exit 1
