. /.bulkhead/checks/lib.sh
need_sandbox
if ! /usr/local/bin/cri ps -a 2>/dev/null | grep -q ' server .*Exited'; then
    echo "not yet because no server has ended in this pod: kill its process, and leave it in the list"
    exit 1
fi
need_container server
echo "one server has exited, another runs (pid $pid), and the pod (pause is pid $pause) is the same"
