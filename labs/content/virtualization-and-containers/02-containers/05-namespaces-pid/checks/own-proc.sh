. /.bulkhead/checks/lib.sh
for pid in $(firsts); do
    if has_own_proc "$pid"; then
        seen=$(ls "/proc/$pid/root/proc" | grep -c '^[0-9]')
        echo "in the /proc of $(name_of "$pid") (pid $pid) stand processes: $seen"
        exit 0
    fi
    found=$pid
done
if [ "$found" ]; then
    echo "not yet because $(name_of "$found") (pid $found) is pid 1 inside and still reads the host's /proc"
else
    echo "not yet because no process is the first of a pid namespace of its own"
fi
exit 1
