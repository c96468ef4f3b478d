. /.bulkhead/checks/course/vm.sh
pid=$(qemu_of two)
if [ "$pid" ]; then
    echo "not yet because process $pid, the machine two, lives"
elif [ ! -S /run/vm/two/monitor ]; then
    echo "not yet because QEMU was asked to end and tidied up behind itself. Start two again and pull the plug with kill -KILL"
else
    echo "no process, no machine: its socket lies there, and nobody listens"
    exit 0
fi
exit 1
