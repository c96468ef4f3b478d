. /.bulkhead/checks/lib.sh
need_elsewhere ipc "an IPC namespace"
for pid in $(elsewhere ipc); do
    if [ "$(seen_by "$pid" /proc/sysvipc/shm | segments 2097152)" -gt 0 ]; then
        echo "$(ns_of "$pid" ipc) of $(name_of "$pid") (pid $pid) holds a segment of 2 MiB; the host does not see it"
        exit 0
    fi
    last=$pid
done
if [ "$(segments 2097152 < /proc/sysvipc/shm)" -gt 0 ]; then
    echo "not yet because the segment of 2 MiB is in the host's namespace: ipcmk has to run in the other one"
elif [ "$(seen_by "$last" /proc/sysvipc/shm | segments 1)" -gt 0 ]; then
    echo "not yet because the segment in the namespace of $(name_of "$last") (pid $last) is smaller than 2 MiB"
else
    echo "not yet because the namespace of $(name_of "$last") (pid $last) is empty: that is how it begins"
fi
exit 1
