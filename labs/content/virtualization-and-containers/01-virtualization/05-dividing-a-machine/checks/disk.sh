. /.bulkhead/checks/course/vm.sh
need_running one
file=/root/extra.qcow2
[ -f $file ] || { echo "not yet because $file does not exist"; exit 1; }
used=$(du -k $file | cut -f 1)
if ! ls -l "/proc/$(qemu_of one)/fd" | grep -qF "$file"; then
    echo "not yet because QEMU has not opened $file: blockdev-add"
elif ! ask one query-block length > /dev/null || [ "$(ask one query-block length)" -lt 1 ]; then
    echo "not yet because the file is open, and no disk shows it to the guest: device_add"
elif [ "$used" -le 2300 ]; then
    echo "not yet because the file takes only $used KiB: the guest has not written, or it is still in its page cache"
else
    echo "a disk of 64 MiB, plugged in while the machine ran: $used KiB of it on the host"
    exit 0
fi
exit 1
