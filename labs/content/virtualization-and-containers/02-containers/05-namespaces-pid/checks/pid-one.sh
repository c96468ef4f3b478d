. /.bulkhead/checks/lib.sh
for pid in $(firsts); do
    echo "$(name_of "$pid"): pid 1 inside, $pid outside"
    exit 0
done
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    # The link leads nowhere while the set-aside namespace has no first process.
    if [ "$(pids_of "$pid")" ] && ! readlink "$folder/ns/pid_for_children" >/dev/null; then
        echo "not yet because $(name_of "$pid") (pid $pid) stayed where it was: its new namespace waits for a child. What does --fork do?"
        exit 1
    fi
done
echo "not yet because every living process is in the host's pid namespace, $HOST_PIDS"
exit 1
