. /.bulkhead/checks/course/vm.sh
need_running one
actual=$(ask one query-balloon actual)
if [ -z "$actual" ]; then
    echo "not yet because QEMU does not answer: is another qmp command still open?"
elif [ "$actual" -ge 134217728 ]; then
    echo "not yet because the balloon is empty: the machine has all of its 128 MiB"
elif [ "$actual" -gt 100663296 ]; then
    echo "not yet because the machine still has $((actual >> 20)) MiB: the balloon may need a moment, or a smaller value"
else
    echo "of 128 MiB the guest has $((actual >> 20)) left; QEMU holds $(rss_mib "$(qemu_of one)") MiB"
    exit 0
fi
exit 1
