. /.bulkhead/checks/lib.sh
pid=$(first_pid)
if [ "$pid" ]; then
    echo "not yet because process $pid ($(name_of "$pid")) lives: TERM has no effect on a container's first process that does not handle it"
elif [ -f /run/crun/demo/status ] || [ -d /run/runc/demo ]; then
    echo "no process, no container: the runtime knows demo as stopped"
    exit 0
else
    echo "not yet because the runtime does not know the container demo: start it again, then end its process and leave the rest as it is"
fi
exit 1
