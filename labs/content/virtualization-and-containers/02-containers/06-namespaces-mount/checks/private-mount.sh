. /.bulkhead/checks/lib.sh
need_elsewhere mnt "a mount namespace"
if [ "$(type_at 1 /mnt)" ]; then
    echo "not yet because the host sees a $(type_at 1 /mnt) on /mnt: that mount ran in the host's namespace. Take it away with: umount /mnt"
    exit 1
fi
for pid in $(elsewhere mnt); do
    seen=$(type_at "$pid" /mnt)
    [ "$seen" ] || continue
    found=$pid
    if [ ! -f "/proc/$pid/root/mnt/a" ]; then
        missing="/mnt/a, in the filesystem that only it sees"
    elif [ ! -f /root/b ]; then
        missing="/root/b, in the filesystem that both see"
    else
        echo "$(name_of "$pid") (pid $pid) sees a $seen on /mnt with the file a; the host sees only /root/b"
        exit 0
    fi
done
if [ "$found" ]; then
    echo "not yet because the mount is there, and the file is missing: $missing"
else
    echo "not yet because nothing is mounted on /mnt in the namespace of $(name_of "$pid") (pid $pid)"
fi
exit 1
