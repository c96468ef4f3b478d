. /.bulkhead/checks/lib.sh
if [ "$VERSION" = 1 ] && [ ! -d "$GROUP" ]; then
    for other in /sys/fs/cgroup/*/small; do
        [ -d "$other" ] && echo "not yet because $other belongs to another controller; memory's groups are in $ABOVE" && exit 1
    done
fi
need_group
limit=$(limit_mib)
case $limit in
    32) echo "$GROUP/$LIMIT: $(cat "$GROUP/$LIMIT") bytes, that is 32 MiB"; exit 0 ;;
    none) echo "not yet because the group small has no limit of its own" ;;
    0) echo "not yet because the limit is $(cat "$GROUP/$LIMIT") bytes: a bare number counts bytes. 32M is 32 MiB" ;;
    *) echo "not yet because the limit is $limit MiB, not 32" ;;
esac
exit 1
