. /.bulkhead/checks/lib.sh
if [ ! -s /srv/layers/1.tar ]; then
    echo "not yet because /srv/layers/1.tar does not exist on two, or is empty"
    exit 1
fi
digest=$(digest_of /srv/layers/1.tar)
# The machine one serves the layout while this step is worked on: what it has under this name must be these bytes.
served=$(wget -q -O - "http://one:8000/blobs/sha256/$digest" 2>/dev/null | sha256sum | cut -d' ' -f1)
if [ "$served" != "$digest" ]; then
    echo "not yet because /srv/layers/1.tar is sha256:$(echo "$digest" | cut -c 1-12)..., and one has no such blob (is it being served?)"
elif [ ! -x /srv/layers/1/bin/busybox ]; then
    echo "not yet because it is not unpacked in /srv/layers/1"
else
    echo "two has sha256:$(echo "$digest" | cut -c 1-12)..., and so has one"
    exit 0
fi
exit 1
