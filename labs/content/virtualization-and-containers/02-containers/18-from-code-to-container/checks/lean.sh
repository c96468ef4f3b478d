. /.bulkhead/checks/lib.sh
need_image fat:latest
need_image lean:latest
fat=$(kib_of fat:latest)
lean=$(kib_of lean:latest)
if ! history_of lean:latest | grep -q 'dd if='; then
    echo "not yet because lean never made the file: it shall make it and delete it in one RUN"
elif [ "$lean" -gt 4096 ]; then
    echo "not yet because lean has $lean KiB: the file is still in one of its layers"
elif [ "$fat" -lt $((lean + 5000)) ]; then
    echo "not yet because fat has only $fat KiB: it shall make the file in one RUN and delete it in the next"
else
    echo "fat has $fat KiB, lean $lean KiB, and both show the same files"
    exit 0
fi
exit 1
