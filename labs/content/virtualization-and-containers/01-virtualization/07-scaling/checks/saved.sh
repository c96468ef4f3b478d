. /.bulkhead/checks/course/vm.sh
need_running one
disk=$(option_of "$(qemu_of one)" -drive | sed -n 's/^file=\([^,]*\),.*/\1/p')
[ "$disk" ] || { echo "not yet because the machine one has no disk to save to: start it with --disk /root/web-1.qcow2"; exit 1; }
# Of the qcow2 header: the number of snapshots is a 32-bit big-endian number at byte 60.
count=$(dd if="$disk" bs=1 skip=60 count=4 2>/dev/null | od -An -tu1 | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }')
if [ "${count:-0}" -lt 1 ]; then
    echo "not yet because the disk holds no saved moment: vm monitor one 'savevm now'"
elif ! ask one query-block 0.inserted.image.snapshots.0.name | grep -qx now; then
    echo "not yet because the saved moment has another name than now"
else
    echo "saved: $(($(ask one query-block 0.inserted.image.snapshots.0.vm-state-size) >> 20)) MiB of memory and registers"
    exit 0
fi
exit 1
