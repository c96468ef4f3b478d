. /.bulkhead/checks/lib.sh
need_running
count=0
for folder in /proc/[0-9]*; do
    [ "$(readlink "$folder/ns/pid")" = "$(readlink "/proc/$pid/ns/pid")" ] && count=$((count + 1))
done
echo "$(name_of "$pid"): pid 1 inside, $pid outside; it has started $((count - 1)) others"
