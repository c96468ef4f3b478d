. /.bulkhead/checks/lib.sh
need_named red
if [ -z "$(at red 10.0.1.2)" ] && [ "$(at host 10.0.1.2)" ]; then
    echo "not yet because 10.0.1.2 is on $(at host 10.0.1.2) of the host: that end belongs into red. ip link set ... netns red"
    exit 1
fi
need_end host 10.0.1.1
need_end red 10.0.1.2
if in_net host ping -q -c 1 -W 1 10.0.1.2 >/dev/null; then
    echo "$(at host 10.0.1.1) (10.0.1.1) and, in red, $(at red 10.0.1.2) (10.0.1.2) reach each other"
    exit 0
fi
echo "not yet because 10.0.1.2 does not answer: have both ends addresses with /24, and are they ends of one cable?"
exit 1
