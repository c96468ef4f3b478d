. /.bulkhead/checks/lib.sh
need_running
if ! $BUSYBOX nsenter -t "$pid" -n $BUSYBOX ip -o -f inet address show | grep -q ' 10\.0\.3\.10/'; then
    echo "not yet because no interface of box has the address 10.0.3.10"
elif ! $BUSYBOX nsenter -t "$pid" -n $BUSYBOX ip -o -f inet address show | grep -q ' 10\.0\.3\.10/24'; then
    echo "not yet because 10.0.3.10 has no /24: without it, box knows no way to the host"
elif [ -z "$(page)" ]; then
    echo "not yet because nobody in box answers at http://10.0.3.10/ with a page"
else
    echo "box says: $(page | head -c 60)"
    exit 0
fi
exit 1
