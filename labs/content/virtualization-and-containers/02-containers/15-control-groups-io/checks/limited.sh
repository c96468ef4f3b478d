. /.bulkhead/checks/lib.sh
need_group blkio slow
limit=$(limit_of wbps)
if [ "$limit" = $MIB ]; then
    echo "slow may write $limit bytes per second to $DEVICE"
    exit 0
fi
if [ "$limit" = none ]; then
    complain_of_device
    echo "not yet because slow has no limit for writing to $DEVICE"
else
    echo "not yet because the limit for writing to $DEVICE is $limit bytes per second, not 1048576"
fi
exit 1
