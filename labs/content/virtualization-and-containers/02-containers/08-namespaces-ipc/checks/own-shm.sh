. /.bulkhead/checks/lib.sh
need_elsewhere ipc "an IPC namespace"
if [ -e /dev/shm/secret ]; then
    echo "not yet because the host sees /dev/shm/secret: it was written into the host's /dev/shm. Remove it there"
    exit 1
fi
for pid in $(elsewhere ipc); do
    [ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/1/ns/mnt)" ] || continue
    if [ -e "/proc/$pid/root/dev/shm/secret" ]; then
        echo "$(name_of "$pid") (pid $pid) has its own objects in $(ns_of "$pid" ipc) and its own files in /dev/shm"
        exit 0
    fi
    found=$pid
done
if [ "$found" ]; then
    echo "not yet because there is no file secret in the /dev/shm of $(name_of "$found") (pid $found)"
else
    echo "not yet because no process has both, an IPC namespace and a mount namespace of its own"
fi
exit 1
