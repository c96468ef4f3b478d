. /.bulkhead/checks/lib.sh
follow
set -- $layers
if [ $# != 2 ]; then
    echo "not yet because the image that the index names has $# layers, not 2"
elif ! tar -t -f "$(blob "$1")" | grep -q 'bin/busybox$'; then
    echo "not yet because the lowest layer is not the box: the first in the list lies at the bottom"
elif tar -t -f "$(blob "$2")" | grep -q 'bin/busybox$'; then
    echo "not yet because the second layer holds the whole box again: pack only what has changed"
elif ! tar -t -f "$(blob "$2")" | grep -q 'etc/motd$'; then
    echo "not yet because the second layer has no etc/motd"
else
    echo "two layers: $(stat -c %s "$(blob "$1")") bytes as before, and $(stat -c %s "$(blob "$2")") on top"
    exit 0
fi
exit 1
