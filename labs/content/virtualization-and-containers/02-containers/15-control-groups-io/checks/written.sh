. /.bulkhead/checks/lib.sh
need_group blkio slow
bytes=$(bill_of wbytes)
if [ "$bytes" -ge $((2 * $MIB)) ]; then
    echo "written to $DEVICE by the group slow: $bytes bytes"
    exit 0
fi
if [ "$bytes" = 0 ] && [ -e /disk/a ]; then
    echo "not yet because there is a file /disk/a, and nothing on the bill: was it written outside the group, or without oflag=direct?"
else
    echo "not yet because the bill of slow says $bytes bytes written: 2097152 are 2 MiB"
fi
exit 1
