. /.bulkhead/checks/course/vm.sh
need_running one
pid=$(qemu_of one)
if ! has_prompt one; then
    echo "not yet because the machine is still booting: no prompt on its console so far"
    exit 1
fi
echo "process $pid: a machine with $(processors_of "$pid") processor and $(option_of "$pid" -m) of memory"
