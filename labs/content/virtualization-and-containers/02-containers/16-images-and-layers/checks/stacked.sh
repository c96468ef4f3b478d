line=$(awk '$5 == "/srv/root"' /proc/self/mountinfo | tail -n 1)
case $line in
    *" - overlay "*) ;;
    "") echo "not yet because nothing is mounted on /srv/root of two"; exit 1 ;;
    *) echo "not yet because what is mounted on /srv/root is no overlay"; exit 1 ;;
esac
if [ ! -x /srv/root/bin/busybox ]; then
    echo "not yet because the first layer is not in the stack: there is no program"
elif ! cmp -s /srv/root/etc/motd /srv/layers/2/etc/motd; then
    echo "not yet because /srv/root/etc/motd is not that of the second layer: the first in lowerdir lies on top"
else
    echo "the program comes from below, the text from above: $(head -c 60 /srv/root/etc/motd)"
    exit 0
fi
exit 1
