. /.bulkhead/checks/lib.sh
need_sandbox
need_container server
server=$pid
need_container helper
if [ "$(stat -L -c %d:%i "/proc/$pid/root/.")" = "$(stat -L -c %d:%i "/proc/$server/root/.")" ]; then
    echo "not yet because helper and server have the same root filesystem"
    exit 1
fi
echo "server (pid $server) and helper (pid $pid) share $(ns_of "$pid" net) and $(ns_of "$pid" ipc), and have files of their own"
