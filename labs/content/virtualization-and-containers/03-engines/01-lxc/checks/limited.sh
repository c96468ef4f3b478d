. /.bulkhead/checks/lib.sh
need_running
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    file=/sys/fs/cgroup$group/memory.max
else
    group=$(sed -n 's/.*:memory://p' "/proc/$pid/cgroup")
    file=/sys/fs/cgroup/memory$group/memory.limit_in_bytes
fi
limit=$(cat "$file" 2>/dev/null)
if [ "$limit" = 67108864 ]; then
    echo "the group $group of box has the limit $limit bytes"
    exit 0
fi
echo "not yet because the limit of the group $group of box is ${limit:-unknown}, not 67108864 bytes"
exit 1
