. /.bulkhead/checks/lib.sh
need_daemon
if [ -z "$(record_of broken)" ]; then
    echo "not yet because there is no container called broken"
    exit 1
fi
status=$(sed -n 's/.*"ExitCode":\([0-9]*\).*/\1/p' "$(record_of broken)/config.v2.json")
pid=$(pid_of broken)
if [ "${pid:-0}" != 0 ]; then
    echo "not yet because broken runs (pid $pid): its image has all that it needs"
elif [ "$status" = 3 ]; then
    echo "broken ended with status 3: its image was built well, and /deps is missing"
    exit 0
else
    echo "not yet because broken ended with status $status, for another reason: docker logs broken tells"
fi
exit 1
