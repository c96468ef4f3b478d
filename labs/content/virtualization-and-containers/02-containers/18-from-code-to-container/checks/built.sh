. /.bulkhead/checks/lib.sh
need_image app:1
if ! history_of app:1 | grep -q '/deps'; then
    echo "not yet because the image app:1 has no instruction that makes /deps"
elif ! history_of app:1 | grep -q 'COPY'; then
    echo "not yet because no code has been copied into the image app:1"
elif ! history_of app:1 | grep -q 'start.sh'; then
    echo "not yet because the image app:1 does not say what to start: CMD"
else
    echo "app:1 has $(layers_of app:1 | grep -c .) layers, of which busybox brought one"
    exit 0
fi
exit 1
