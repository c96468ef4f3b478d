. /.bulkhead/checks/lib.sh
found=$(workers | awk '$2 >= $1 / 3 { print; exit }')
if [ "$found" ]; then
    set -- $found
    echo "$4 (pid $3): $(($1 * 100 / ($1 + $2))) percent of its time of its own, $(($2 * 100 / ($1 + $2))) percent in the kernel"
    exit 0
fi
if [ "$(workers)" ]; then
    echo "not yet because the busy processes compute, and hardly ask: dd with bs=1 makes two calls for every byte"
else
    echo "not yet because no process has been busy for a second: if it runs, wait a little"
fi
exit 1
