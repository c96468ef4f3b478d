. /.bulkhead/checks/lib.sh
climb numbers root closed proc users limit layer
if [ -e /srv/box/made ]; then
    echo "not yet because /made is in /srv/box: it was written into the image. Remove it there, and write it from inside the container"
elif [ ! -e /srv/layers/upper/made ]; then
    echo "not yet because the root is an overlay now, and there is no file /made in its upper layer"
else
    echo "$(name_of "$pid") (pid $pid) has written /made into the upper layer; the box is as it was"
    exit 0
fi
exit 1
