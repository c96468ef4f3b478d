. /.bulkhead/checks/course/vm.sh
need_running one
pid=$(qemu_of one)
file=/root/hypervisor.pid
[ -s $file ] || { echo "not yet because $file does not exist or is empty"; exit 1; }
given=$(tr -d ' \n\r\t' < $file)
case $given in
    "$pid") echo "process $pid is a whole computer of $(rss_mib "$pid") MiB"; exit 0 ;;
    *[!0-9]*) echo "not yet because $file holds something else than one number" ;;
    *) if [ -d "/proc/$given" ]; then
           echo "not yet because process $given is $(cat "/proc/$given/comm"), and not the machine"
       else
           echo "not yet because the host has no process $given: the machine may have been started anew"
       fi ;;
esac
exit 1
