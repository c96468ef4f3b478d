. /.bulkhead/checks/lib.sh
host=$(hostname)
if [ "$host" != host ]; then
    echo "not yet because the host itself is called $host now: that hostname ran in the host's namespace. Set it back with: hostname host"
    exit 1
fi
for pid in $(elsewhere); do
    inner=$(host_name_in "$pid")
    if [ "$inner" ] && [ "$inner" != "$host" ]; then
        echo "$(name_of "$pid") (pid $pid) is on $inner, everybody else on $host"
        exit 0
    fi
    seen=$pid
done
if [ "$seen" ]; then
    echo "not yet because the name in the namespace of $(name_of "$seen") (pid $seen) is still $host: it begins as a copy of the old one"
else
    echo "not yet because no process lives in a UTS namespace of its own any more: it went away with its last process"
fi
exit 1
