. /.bulkhead/checks/lib.sh
one=$(first_with /app.sh)
two=$(first_with /sbin/ip)
if [ -d /run/runc/app-1 ]; then
    echo "not yet because runc still knows app-1: runc delete --force app-1"
elif [ -z "$one" ] || [ ! -e /run/crun/app-1/status ]; then
    echo "not yet because crun runs no container app-1"
elif [ -z "$two" ] || [ ! -d /run/runc/app-2 ]; then
    echo "not yet because app-2 is not running with runc any more"
else
    echo "app-1 (pid $one) was started by crun, app-2 (pid $two) by runc, and neither runtime is running"
    exit 0
fi
exit 1
