# Podman's containers, by the files of its store and by what the kernel says about their processes. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
STORE=/var/lib/containers/storage
RUN=/run/containers/storage/overlay-containers

# The id of the container called $1.
id_of() {
    grep -o "\"id\":\"[0-9a-f]*\",\"names\":\[\"$1\"" $STORE/overlay-containers/containers.json 2>/dev/null | cut -d'"' -f4
}

# Sets pid to the first process of the container $1, or ends the check.
need_running() {
    id=$(id_of "$1")
    if [ -z "$id" ]; then
        if grep -q "\"/$1\"" /var/lib/docker/containers/*/config.v2.json 2>/dev/null; then
            echo "not yet because $1 is one of Docker's containers, not of Podman's"
        else
            echo "not yet because Podman has no container called $1"
        fi
        exit 1
    fi
    pid=$(cat "$RUN/$id/userdata/pidfile" 2>/dev/null)
    [ "$pid" ] && [ -d "/proc/$pid/root/" ] && return
    echo "not yet because the container $1 exists, and is not running: podman logs $1 tells why; podman rm $1 takes it away"
    exit 1
}
