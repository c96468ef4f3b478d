. /.bulkhead/checks/lib.sh
need_sandbox
need_container server
# eth0 is what the network plugin has made in the pod.
address=$($BUSYBOX nsenter -t "$pause" -n $BUSYBOX ip -o -f inet address show dev eth0 2>/dev/null | awk '{ sub(/\/.*/, "", $4); print $4; exit }')
if ! $BUSYBOX wget -q -O - "http://$address/" 2>/dev/null | grep -q .; then
    echo "not yet because server (pid $pid) runs, and nothing answers at the pod's address $address"
    exit 1
fi
echo "server is $(name_of "$pid") (pid $pid), in the pod's network, and answers at $address"
