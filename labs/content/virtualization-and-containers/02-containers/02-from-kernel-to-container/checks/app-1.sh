. /.bulkhead/checks/lib.sh
complain_of_bundle app-1 /app.sh
pid=$(first_with /app.sh)
if [ "$pid" ]; then
    echo "App-1 is $(name_of "$pid"): pid 1 inside, $pid outside"
    exit 0
fi
if [ -d /run/runc/app-1 ]; then
    echo "not yet because runc knows app-1, and its process has ended: runc delete app-1, then run it again"
else
    echo "not yet because the bundle is ready, and nobody runs it"
fi
exit 1
