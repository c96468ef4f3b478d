# Docker's containers, by what the daemon has written down and what the kernel says about their processes.
# Sourced by the checks. No client is needed, and none is trusted.
BUSYBOX=/.bulkhead/bin/busybox
RECORDS=/var/lib/docker/containers

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

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

# The id of the image $1 (name:tag), without "sha256:".
image_of() {
    sed -n "s/.*\"$1\":\"sha256:\([0-9a-f]*\)\".*/\1/p" /var/lib/docker/image/overlay2/repositories.json 2>/dev/null
}

# The layers of the image $1, one a line, the lowest first: the digests of their contents.
layers_of() {
    tr -d ' \n' < "/var/lib/docker/image/overlay2/imagedb/content/sha256/$(image_of "$1")" |
        sed 's/.*"diff_ids":\[\([^]]*\)\].*/\1/' | tr ',' '\n' | tr -d '"'
}

# The instructions of the image $1, as its history tells them.
history_of() {
    cat "/var/lib/docker/image/overlay2/imagedb/content/sha256/$(image_of "$1")"
}

# The sum of the layers of the image $1 in KiB. A layer is filed under its chain id: its own digest for the lowest,
# above that the digest of "<chain below> <digest>" (OCI image specification, "Layer ChainID").
kib_of() {
    chain= total=0
    for layer in $(layers_of "$1"); do
        if [ "$chain" ]; then
            chain=sha256:$(printf '%s %s' "$chain" "$layer" | sha256sum | cut -d' ' -f1)
        else
            chain=$layer
        fi
        total=$((total + $(cat "/var/lib/docker/image/overlay2/layerdb/sha256/${chain#sha256:}/size")))
    done
    echo $((total / 1024))
}

need_image() {
    need_daemon
    [ "$(image_of "$1")" ] && return
    echo "not yet because there is no image $1"
    exit 1
}
