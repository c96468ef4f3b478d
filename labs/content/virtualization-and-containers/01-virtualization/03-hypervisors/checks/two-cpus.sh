. /.bulkhead/checks/course/vm.sh
need_running two
pid=$(qemu_of two)
cpus=$(processors_of "$pid")
memory=$(option_of "$pid" -m)
if [ "$cpus" != 2 ]; then
    echo "not yet because the machine two has $cpus processor: stop it, and start it with --cpus 2"
elif [ "$memory" != 128M ]; then
    echo "not yet because the machine two has $memory of memory, not 128M"
elif ! has_prompt two; then
    echo "not yet because the machine is still booting"
else
    echo "two threads of process $pid are its processors; it has $memory of memory"
    exit 0
fi
exit 1
