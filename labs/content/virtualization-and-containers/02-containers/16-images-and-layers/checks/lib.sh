# An OCI image layout, followed from its index down. Sourced by the checks.
LAYOUT=/srv/image

# The digests that a document names, in their order, without "sha256:".
named_by() {
    grep -o 'sha256:[0-9a-f]\{64\}' "$1" 2>/dev/null | cut -d: -f2
}

blob() {
    echo "$LAYOUT/blobs/sha256/$1"
}

digest_of() {
    sha256sum < "$1" | cut -d' ' -f1
}

# Ends the check unless the blob $1, which $2 names, is there and has that digest.
need_blob() {
    if [ ! -f "$(blob "$1")" ]; then
        echo "not yet because $2 names sha256:$(echo "$1" | cut -c 1-12)..., and there is no such blob"
        exit 1
    elif [ "$(digest_of "$(blob "$1")")" != "$1" ]; then
        echo "not yet because the blob $(echo "$1" | cut -c 1-12)... has another digest than its name"
        exit 1
    fi
}

# Sets manifest, config and layers of the image, every link of the chain proved, or ends the check.
follow() {
    for file in index.json oci-layout; do
        [ -s "$LAYOUT/$file" ] && continue
        echo "not yet because $LAYOUT/$file does not exist or is empty"
        exit 1
    done
    set -- $(named_by $LAYOUT/index.json)
    manifest=$1
    if [ $# != 1 ]; then
        echo "not yet because the index names $# manifests: it has to be one, with a digest of 64 digits"
        exit 1
    fi
    need_blob "$manifest" "the index"
    set -- $(named_by "$(blob "$manifest")")
    if [ $# -lt 2 ]; then
        echo "not yet because the manifest names $# blobs: it has to name the configuration and at least one layer"
        exit 1
    fi
    config=$1
    shift
    layers=$*
    need_blob "$config" "the manifest"
    for layer in $layers; do
        need_blob "$layer" "the manifest"
        if ! tar -t -f "$(blob "$layer")" >/dev/null 2>&1; then
            echo "not yet because the layer $(echo "$layer" | cut -c 1-12)... is no archive"
            exit 1
        fi
    done
    if [ "$(named_by "$(blob "$config")" | tr '\n' ' ')" != "$layers " ]; then
        echo "not yet because the configuration and the manifest name different layers, or in another order"
        exit 1
    fi
}
