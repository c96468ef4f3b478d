. /.bulkhead/checks/course/vm.sh
need_running left
need_running right
if [ ! -s /root/cut ]; then
    echo "not yet because /root/cut does not exist or is empty"
elif grep -q 'bytes from 10.0.0.2' /root/cut; then
    echo "not yet because 10.0.0.2 still answered: was the wire cut before?"
elif ! grep -q ' 100% packet loss' /root/cut; then
    echo "not yet because /root/cut does not hold what ping says about 10.0.0.2: $(tail -n 1 /root/cut | cut -c 1-60)"
elif [ /root/cut -ot /root/joined ]; then
    echo "not yet because this attempt is older than the one that was answered: try again"
else
    echo "nothing comes through: $(grep 'packets transmitted' /root/cut)"
    exit 0
fi
exit 1
