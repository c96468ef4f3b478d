. /.bulkhead/checks/course/vm.sh
need_running one
threads=$(processors_of "$(qemu_of one)")
if [ "$threads" -lt 2 ]; then
    echo "not yet because QEMU has one processor thread: nothing has been plugged in"
elif [ ! -s /root/nproc ]; then
    echo "not yet because the processor is plugged in, and /root/nproc does not say that the guest uses it"
elif [ "$(tr -cd '0-9' < /root/nproc)" != 2 ]; then
    echo "not yet because nproc says $(tr -cd '0-9' < /root/nproc): the guest must switch its new processor on"
else
    echo "$threads processor threads outside, 2 processors in use inside"
    exit 0
fi
exit 1
