. /.bulkhead/checks/lib.sh
if [ "$(state_of docker.io)" != installed ]; then
    echo "not yet because Docker is not installed"
    exit 1
fi
need_daemon
if ! grep -q '"web:latest"' /var/lib/docker/image/overlay2/repositories.json 2>/dev/null; then
    echo "not yet because the daemon runs, and has no image called web: engine-up docker loads it"
    exit 1
fi
pid=$(cat /run/docker.pid)
echo "$(name_of "$pid") (pid $pid) answers, and has the image web"
