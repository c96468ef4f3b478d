. /.bulkhead/checks/lib.sh
need_image
hash=$(unpacked $ACI | hash_of)
packed=$(hash_of < $ACI)
folder=$RKT/cas/blob/sha512
blob=$folder/$(echo "$hash" | $BUSYBOX cut -c 1-2)/sha512-$hash
if [ -f "$blob" ] && [ "$(hash_of < "$blob")" = "$hash" ]; then
    echo "the store has sha512-$(echo "$hash" | $BUSYBOX cut -c 1-12)..., and the content has that hash"
    exit 0
fi
if [ -f "$blob" ]; then
    echo "not yet because sha512-$(echo "$hash" | $BUSYBOX cut -c 1-12)... is there with another content: it has to be the tar archive without its compression"
elif [ "$packed" != "$hash" ] && ls $folder/*/sha512-"$packed"* > /dev/null 2>&1; then
    echo "not yet because that is the hash of the compressed file: unpack it with gzip first"
elif ls $folder/*/sha512-* > /dev/null 2>&1; then
    echo "not yet because nothing in $folder is called after web.aci as it is now, with 64 digits in a folder of the first two"
else
    echo "not yet because there is nothing in $folder"
fi
exit 1
