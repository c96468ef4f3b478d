. /.bulkhead/checks/lib.sh
need_group blkio slow
limit=$(limit_of wiops)
bytes=$(bill_of wbytes)
operations=$(bill_of wios)
size=$(stat -c %s /disk/small 2>/dev/null || echo 0)
if [ "$limit" = none ]; then
    echo "not yet because slow has no limit for write operations on $DEVICE"
elif [ "$limit" != 50 ]; then
    echo "not yet because the limit is $limit write operations per second, not 50"
elif [ "$operations" -lt 132 ] || [ "$size" -lt 409600 ]; then
    echo "not yet because the bill says $operations write operations since the group was made, and /disk/small has $size bytes: 100 more, of 4 KiB, are wanted"
else
    echo "$operations write operations on the bill, for $bytes bytes; no more than $limit in a second"
    exit 0
fi
exit 1
