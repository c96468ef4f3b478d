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

# The name by which the container $1 was asked for; the record holds the image's id under the same key, further on.
reference_of() {
    grep -o '"Image":"[^"]*"' "$(record_of "$1")/config.v2.json" | cut -d'"' -f4 | grep -v '^sha256:' | head -n 1
}

# The id of the image that the container $1 is made of.
made_of() {
    grep -o '"Image":"sha256:[^"]*"' "$(record_of "$1")/config.v2.json" 2>/dev/null | cut -d'"' -f4 | cut -d: -f2
}

# What the registry on the machine one keeps on its disk (its filesystem driver).
REGISTRY=/var/lib/docker/registry/docker/registry/v2

# The digest of the manifest that the tag $1 of team/web points to.
tag_of() {
    sed 's/^sha256://' "$REGISTRY/repositories/team/web/_manifests/tags/$1/current/link" 2>/dev/null
}

# Every manifest that the tag $1 ever pointed to.
ever_of() {
    ls "$REGISTRY/repositories/team/web/_manifests/tags/$1/index/sha256" 2>/dev/null
}

blob() {
    cat "$REGISTRY/blobs/sha256/$(echo "$1" | cut -c 1-2)/$1/data" 2>/dev/null
}

# The digests that the manifest $1 names: the description first, then the layers.
named_by() {
    blob "$1" | grep -o 'sha256:[0-9a-f]*' | cut -d: -f2
}
