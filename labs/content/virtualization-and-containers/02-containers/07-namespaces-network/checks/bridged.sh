. /.bulkhead/checks/lib.sh
need_named red
need_named blue
if [ ! -d /sys/class/net/harbour/bridge ]; then
    echo "not yet because the host has no bridge called harbour"
    exit 1
fi
if ! in_net host ip -o link show dev harbour | grep -q '[<,]UP[,>]'; then
    echo "not yet because the bridge harbour is off: ip link set harbour up"
    exit 1
fi
plugged=$(ls /sys/class/net/harbour/brif | wc -l)
if [ "$plugged" -lt 2 ]; then
    echo "not yet because the number of cables in harbour is $plugged: ip link set ... master harbour"
    exit 1
fi
need_end red 10.0.2.2
need_end blue 10.0.2.3
if in_net blue ping -q -c 1 -W 1 10.0.2.2 >/dev/null; then
    echo "blue (10.0.2.3) reaches red (10.0.2.2) over harbour, with $plugged cables in it"
    exit 0
fi
echo "not yet because blue gets no answer from 10.0.2.2: bridge link shows the cables' state; have both addresses /24?"
exit 1
