. /.bulkhead/checks/lib.sh
need_daemon
if ! $BUSYBOX wget -q -O - http://127.0.0.1:5000/v2/_catalog >/dev/null 2>&1; then
    echo "not yet because no registry answers at port 5000: engine-up registry"
elif [ -z "$(tag_of 1)" ]; then
    echo "not yet because the registry has no team/web:1. It has: $(find $REGISTRY/repositories -name _manifests 2>/dev/null | sed 's#.*/repositories/##; s#/_manifests##' | tr '\n' ' ')"
else
    echo "team/web:1 is sha256:$(tag_of 1 | cut -c 1-12)..., with $(named_by "$(tag_of 1)" | grep -c .) blobs"
    exit 0
fi
exit 1
