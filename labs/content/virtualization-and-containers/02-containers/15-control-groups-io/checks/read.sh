. /.bulkhead/checks/lib.sh
need_group blkio slow
limit=$(limit_of rbps)
bytes=$(bill_of rbytes)
if [ "$limit" = none ]; then
    echo "not yet because slow has no limit for reading from $DEVICE"
elif [ "$limit" != $((2 * $MIB)) ]; then
    echo "not yet because the limit for reading is $limit bytes per second, not 2097152"
elif [ "$bytes" -lt $((2 * $MIB)) ]; then
    echo "not yet because the limit is set, and the bill says $bytes bytes read: what comes from the page cache is not on it"
else
    echo "read from $DEVICE by the group slow: $bytes bytes"
    exit 0
fi
exit 1
