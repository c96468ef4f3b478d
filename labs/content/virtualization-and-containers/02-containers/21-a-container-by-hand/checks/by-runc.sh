. /.bulkhead/checks/lib.sh
if [ ! -d /run/runc/hand ]; then
    echo "not yet because runc knows no container called hand"
    exit 1
fi
first=$(sed 's/.*"init_process_pid":\([0-9]*\).*/\1/' /run/runc/hand/state.json)
boxed() {
    [ -f "/proc/$first/root/etc/box-release" ] && echo "$first"
}
climb numbers root proc users limit layer
echo "runc has made the same: pid 1 inside, $pid outside, user 10000, 64 MiB, on the overlay"
