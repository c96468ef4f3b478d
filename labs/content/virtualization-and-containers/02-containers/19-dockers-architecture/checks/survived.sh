. /.bulkhead/checks/course/docker.sh
# Field 22 of stat is the start time, counted behind the name in brackets (proc(5)).
started() {
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $20 }'
}
if [ -z "$(record_of tough)" ]; then
    echo "not yet because there is no container called tough"
    exit 1
fi
need_running tough
daemon=$(cat /run/docker.pid)
if [ "$(started "$pid")" -lt "$(started "$daemon")" ]; then
    echo "tough (pid $pid) is $((($(started "$daemon") - $(started "$pid")) / 100)) seconds older than dockerd (pid $daemon)"
    exit 0
fi
if grep -q '"live-restore": *true' /etc/docker/daemon.json 2>/dev/null; then
    echo "not yet because dockerd (pid $daemon) is older than tough: kill it with KILL, and start it again"
else
    echo "not yet because without live-restore in /etc/docker/daemon.json a new daemon ends what it finds"
fi
exit 1
