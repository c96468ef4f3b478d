. /.bulkhead/checks/lib.sh
need_running small
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    file=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/memory.max
else
    file=/sys/fs/cgroup/memory$(sed -n 's/.*:memory://p' "/proc/$pid/cgroup")/memory.limit_in_bytes
fi
limit=$(cat "$file" 2>/dev/null)
if [ "$limit" = 67108864 ]; then
    echo "the kernel's limit for small (pid $pid): $limit bytes"
    exit 0
fi
echo "not yet because the kernel's limit for small is ${limit:-unknown}: 64 MiB are 67108864 bytes"
exit 1
