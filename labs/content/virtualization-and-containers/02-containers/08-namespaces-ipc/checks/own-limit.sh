. /.bulkhead/checks/lib.sh
need_elsewhere ipc "an IPC namespace"
host=$(cat /proc/sys/kernel/shmmax)
if [ "$host" -le 65536 ]; then
    echo "not yet because the host's own limit is $host now: it was written in the host's namespace. Put it back: echo 67108864 > /proc/sys/kernel/shmmax"
    exit 1
fi
for pid in $(elsewhere ipc); do
    limit=$(seen_by "$pid" /proc/sys/kernel/shmmax)
    if [ "$limit" = 65536 ]; then
        echo "$(name_of "$pid") (pid $pid): no segment over 64 KiB; the host allows $(($host / 1048576)) MiB"
        exit 0
    fi
    case $limit in 64) small="64 bytes; 64 KiB are 65536" ;; esac
done
if [ "$small" ]; then
    echo "not yet because the limit there is $small"
else
    echo "not yet because no living process is in a namespace with the limit 65536"
fi
exit 1
