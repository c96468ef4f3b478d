. /.bulkhead/checks/lib.sh
file=/root/cached.io
[ -s $file ] || { echo "not yet because $file does not exist or is empty"; exit 1; }
asked=$(io_line $file rchar); fetched=$(io_line $file read_bytes)
if [ "${asked:-0}" -lt 8388608 ]; then
    echo "not yet because the counters in $file say that only ${asked:-0} bytes were read: let the shell that ran dd show its own"
elif [ "$fetched" -ge 4194304 ]; then
    echo "not yet because $fetched bytes came from the device: without iflag=direct, and once more if the cache was cold"
else
    echo "$((asked >> 20)) MiB asked for, $((fetched >> 10)) KiB fetched from the device"
    exit 0
fi
exit 1
