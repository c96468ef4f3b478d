. /.bulkhead/checks/course/vm.sh
if ! grep -q 'end Kernel panic' /run/vm/one/console 2>/dev/null; then
    need_running one
    echo "not yet because the kernel of the machine one lives: nothing about a panic on its console"
    exit 1
fi
pid=$(qemu_of one)
[ "$pid" ] && echo "the guest's kernel is dead; QEMU, process $pid, goes on imitating its computer" ||
    echo "the guest's kernel is dead, and QEMU has ended"
