. /.bulkhead/checks/lib.sh
need_framework hand
if [ "$(metric_of hand offers/declined)" = 0 ]; then
    echo "not yet because hand has declined nothing so far"
elif [ "$(offers_of node-b)" != 0 ]; then
    echo "not yet because node-b is on offer to hand again: refuse it for longer than a few seconds"
elif [ "$(offers_of node-a)" = 0 ]; then
    echo "not yet because node-a is not on offer to hand: decline node-b only. framework revive hand brings everything back"
else
    echo "hand is offered node-a, and node-b no more"
    exit 0
fi
exit 1
