. /.bulkhead/checks/lib.sh
need_running duo-web
web=$pid
need_running duo-helper
if [ "$(ns_of "$web" net)" = "$(ns_of 1 net)" ]; then
    echo "not yet because both use the host's network: that is no pod"
elif [ "$(ns_of "$web" net)" != "$(ns_of "$pid" net)" ]; then
    echo "not yet because duo-web and duo-helper have networks of their own: a container is put into a pod when it is made, with --pod duo"
elif [ "$(ns_of "$web" ipc)" != "$(ns_of "$pid" ipc)" ]; then
    echo "not yet because the two share a network and no ipc namespace: make them with --pod duo"
elif [ "$(ns_of "$web" mnt)" = "$(ns_of "$pid" mnt)" ]; then
    echo "not yet because both have the same mounts"
else
    echo "duo-web (pid $web) and duo-helper (pid $pid) share $(ns_of "$pid" net) and have mounts of their own"
    exit 0
fi
exit 1
