# Docker's containers, by what the daemon has written down and what the kernel says about their processes.
# Sourced by the checks. No client is needed, and none is trusted.
. /.bulkhead/checks/course/docker.sh

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
