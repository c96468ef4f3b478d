. /.bulkhead/checks/lib.sh
for pid in $(elsewhere net); do
    if $BUSYBOX nsenter -t "$pid" -n $BUSYBOX ip -o link show dev lo | grep -q 'LOOPBACK,UP'; then
        echo "$(name_of "$pid") (pid $pid) is in $(readlink "/proc/$pid/ns/net"), and its lo is up"
        exit 0
    fi
    off=$pid
done
if [ "$off" ]; then
    echo "not yet because the lo of $(name_of "$off") (pid $off) is off: that is how every network begins"
else
    echo "not yet because every living process is in the host's network, $HOST_NET"
fi
exit 1
