. /.bulkhead/checks/lib.sh
need_named red
if ! listens host && ! listens red; then
    echo "not yet because nobody listens on port 8080, neither on the host nor in red"
elif ! listens red; then
    echo "not yet because only the host listens on 8080: start the other one with ip netns exec red"
elif ! listens host; then
    echo "not yet because only red listens on 8080: the host's server is not running"
elif ! in_net host wget -q -O - http://10.0.1.2:8080/ >/dev/null 2>&1; then
    echo "not yet because both listen, and the page of 10.0.1.2 can't be fetched: is the cable of the last step in place, and is there an index.html?"
else
    echo "8080 is taken twice: on the host and in red, and red answers at 10.0.1.2"
    exit 0
fi
exit 1
