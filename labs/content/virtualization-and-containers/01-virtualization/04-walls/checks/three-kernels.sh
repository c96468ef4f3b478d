. /.bulkhead/checks/course/vm.sh
need_running one
[ "$(container_with etc/machine)" ] || { echo "not yet because the container does not run: crun run in /root/box"; exit 1; }
[ -s /root/kernels ] || { echo "not yet because /root/kernels does not exist or is empty"; exit 1; }
host=$(uname -r)
guest=$(cat /opt/vm/release)
set -- $(tr -d '\r' < /root/kernels)
if [ $# != 3 ]; then
    echo "not yet because /root/kernels has $# words; three versions are wanted, a line each"
elif [ "$1" != "$host" ]; then
    echo "not yet because the first line is not the host's kernel, $host"
elif [ "$2" != "$host" ]; then
    echo "not yet because the second line, the container's, is not what a container answers"
elif [ "$3" != "$guest" ]; then
    echo "not yet because the third line is not the machine's kernel: ask inside, with vm sh one"
else
    echo "host and container: $host; virtual machine: $guest"
    exit 0
fi
exit 1
