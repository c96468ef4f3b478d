# Docker's containers, by what the daemon has written down and what the kernel says about their processes.
# Sourced by the checks. No client is needed, and none is trusted.
. /.bulkhead/checks/course/docker.sh

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
