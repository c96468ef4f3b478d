. /.bulkhead/checks/course/vm.sh
if [ ! -s /root/joined ]; then
    need_running left
    need_running right
    echo "not yet because /root/joined does not exist or is empty: send there what ping says"
    exit 1
fi
if ! grep -q 'bytes from 10.0.0.2' /root/joined; then
    echo "not yet because nobody answered: $(grep 'packets transmitted' /root/joined || tail -n 1 /root/joined)"
    exit 1
fi
need_running left
need_running right
echo "two kernels, one wire: $(grep -c 'bytes from 10.0.0.2' /root/joined) answers of 10.0.0.2"
