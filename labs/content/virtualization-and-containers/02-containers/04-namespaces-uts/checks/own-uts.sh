. /.bulkhead/checks/lib.sh
for pid in $(elsewhere); do
    echo "$(name_of "$pid") (pid $pid) is in $(uts_of "$pid"), the host in $HOST_UTS"
    exit 0
done
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    for kind in pid mnt net ipc user; do
        there=$(readlink "/proc/$pid/ns/$kind" 2>/dev/null)
        if [ "$there" ] && [ "$there" != "$(readlink /proc/1/ns/$kind)" ]; then
            echo "not yet because $(name_of "$pid") (pid $pid) has its own $kind namespace, and the UTS namespace of the host"
            exit 1
        fi
    done
done
echo "not yet because every living process is in the host's UTS namespace, $HOST_UTS"
exit 1
