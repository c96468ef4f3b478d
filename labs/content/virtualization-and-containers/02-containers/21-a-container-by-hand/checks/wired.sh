. /.bulkhead/checks/lib.sh
climb numbers root closed proc users limit layer network
if $BUSYBOX ping -q -c 1 -W 1 10.0.9.2 >/dev/null; then
    echo "$(name_of "$pid") (pid $pid), a container made by hand, answers at 10.0.9.2"
    exit 0
fi
echo "not yet because 10.0.9.2 does not answer: are both ends up, and has the host 10.0.9.1/24?"
exit 1
