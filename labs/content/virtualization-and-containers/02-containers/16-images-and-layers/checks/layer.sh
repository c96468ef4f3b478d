. /.bulkhead/checks/lib.sh
for file in $LAYOUT/blobs/sha256/*; do
    [ -f "$file" ] && tar -t -f "$file" 2>/dev/null | grep -q 'bin/busybox$' || continue
    if [ "$(digest_of "$file")" = "$(basename "$file")" ]; then
        echo "a layer of $(stat -c %s "$file") bytes is called by its digest, sha256:$(basename "$file" | cut -c 1-12)..."
        exit 0
    fi
    wrong=$file
done
if [ "$wrong" ]; then
    echo "not yet because $(basename "$wrong") is not the digest of what is in it"
elif [ -f $LAYOUT/layer.tar ]; then
    echo "not yet because the archive is still called layer.tar: store it with blob"
else
    echo "not yet because no blob in $LAYOUT/blobs/sha256 is an archive of the box"
fi
exit 1
