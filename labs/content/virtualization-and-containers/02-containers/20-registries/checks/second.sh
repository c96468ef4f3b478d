. /.bulkhead/checks/lib.sh
second=$(tag_of 2)
if [ -z "$second" ]; then
    echo "not yet because the registry has no team/web:2"
    exit 1
fi
for first in $(ever_of 1); do
    [ "$first" = "$second" ] && continue
    for digest in $(named_by "$first"); do
        named_by "$second" | grep -q "^$digest$" && shared=$digest
    done
done
if [ "$shared" ]; then
    echo "team/web:1 and team/web:2 share the layer sha256:$(echo "$shared" | cut -c 1-12)...: it lies there once"
    exit 0
fi
echo "not yet because team/web:2 has no layer in common with team/web:1, or is the same image: build it FROM web"
exit 1
