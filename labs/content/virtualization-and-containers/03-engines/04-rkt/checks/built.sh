. /.bulkhead/checks/lib.sh
need_image
manifest=$(unpacked $ACI | $BUSYBOX tar -xOf - manifest 2>/dev/null)
name=$(echo "$manifest" | /usr/bin/jq -r .name)
program=$(echo "$manifest" | /usr/bin/jq -r '.app.exec[0] // empty')
if [ "${name##*/}" != web ]; then
    echo "not yet because the manifest says that the image is called $name: something/web is asked for"
elif [ -z "$program" ]; then
    echo "not yet because the manifest has no app with a program to execute: app.exec"
elif ! unpacked $ACI | $BUSYBOX tar -tf - | $BUSYBOX grep -qxE "(\./)?rootfs$program"; then
    echo "not yet because the manifest wants to execute $program, and the image has no rootfs$program"
elif ! unpacked $ACI | $BUSYBOX tar -tf - | $BUSYBOX grep -qxE "(\./)?rootfs/www/index.html"; then
    echo "not yet because the image has no page: rootfs/www/index.html"
else
    echo "$name is valid, and executes $program"
    exit 0
fi
exit 1
