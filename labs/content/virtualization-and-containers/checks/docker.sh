# Docker's containers, by what the daemon has written down and what the kernel says about their processes.
# Sourced by checks. No client is needed, and none is trusted.
. /.bulkhead/checks/course/process.sh
RECORDS=/var/lib/docker/containers

# The folder of the container called $1.
record_of() {
    file=$(grep -l "\"Name\":\"/$1\"" $RECORDS/*/config.v2.json 2>/dev/null | head -n 1)
    echo "${file%/config.v2.json}"
}

# The pid of its first process; 0 if it does not run.
pid_of() {
    sed -n 's/.*"State":{[^}]*"Pid":\([0-9]*\).*/\1/p' "$(record_of "$1")/config.v2.json" 2>/dev/null
}

need_daemon() {
    [ -S /run/docker.sock ] && [ -d "/proc/$(cat /run/docker.pid 2>/dev/null)/fd" ] && return
    echo "not yet because no dockerd is running: engine-up docker"
    exit 1
}

need_running() {
    need_daemon
    if [ -z "$(record_of "$1")" ]; then
        echo "not yet because there is no container called $1"
        exit 1
    fi
    pid=$(pid_of "$1")
    [ "${pid:-0}" != 0 ] && [ -d "/proc/$pid" ] && return
    echo "not yet because the container $1 exists, and is not running: docker logs $1 tells why; docker rm $1 takes it away"
    exit 1
}
