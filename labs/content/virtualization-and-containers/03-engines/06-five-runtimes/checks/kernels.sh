. /.bulkhead/checks/lib.sh
file=/root/kernels
[ -s $file ] || { echo "not yet because there is no $file: five lines, each a name and what uname -r says inside"; exit 1; }
host=$(uname -r)
for name in crun runc podman lxc gvisor; do
    said=$(awk -v name=$name '$1 == name { print $2 }' $file | tail -n 1)
    if [ -z "$said" ]; then
        echo "not yet because $file has no line that begins with $name and a version"
    elif [ $name != gvisor ] && [ "$said" != "$host" ]; then
        echo "not yet because $name doesn't say $said: ask again, inside the container"
    elif [ $name = gvisor ] && [ "$said" = "$host" ]; then
        echo "not yet because $said is the host's kernel: was uname executed inside of five-gvisor?"
    elif [ $name = gvisor ] && [ "$said" != "$(runsc --network=none exec five-gvisor uname -r 2>/dev/null < /dev/null)" ]; then
        echo "not yet because five-gvisor says something else than $said, or doesn't run any more"
    else
        continue
    fi
    exit 1
done
echo "four say $host, gVisor says $said"
