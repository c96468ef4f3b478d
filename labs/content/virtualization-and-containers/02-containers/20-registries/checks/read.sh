. /.bulkhead/checks/lib.sh
file=/root/manifest.json
if [ ! -s $file ]; then
    echo "not yet because there is no $file"
    exit 1
fi
digest=$(sha256sum < $file | cut -d' ' -f1)
if ever_of 1 | grep -q "^$digest$"; then
    echo "$file is sha256:$(echo "$digest" | cut -c 1-12)..., which is what the registry calls it"
    exit 0
fi
if grep -q '"schemaVersion": *1' $file; then
    echo "not yet because $file is a manifest of the old form: the Accept line is missing"
elif grep -q '"layers"' $file; then
    echo "not yet because $file has other bytes than the registry's manifest: it was formatted anew, or is another one"
else
    echo "not yet because $file is no manifest"
fi
exit 1
