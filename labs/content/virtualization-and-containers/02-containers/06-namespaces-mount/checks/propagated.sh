. /.bulkhead/checks/lib.sh
shared=$(awk '$5 == "/srv/plug" { for (i = 7; $i != "-"; i++) if ($i ~ /^shared:/) print substr($i, 8) }' /proc/1/mountinfo)
if [ -z "$(type_at 1 /srv/plug)" ]; then
    echo "not yet because nothing is mounted on /srv/plug on the host"
    exit 1
elif [ -z "$shared" ]; then
    echo "not yet because the mount on /srv/plug is private: mount --make-shared /srv/plug"
    exit 1
fi
need_elsewhere mnt "a mount namespace"
for pid in $(elsewhere mnt); do
    peer=$(awk '$5 == "/srv/plug" { for (i = 7; $i != "-"; i++) if ($i ~ /^(shared|master):/) print $i }' "/proc/$pid/mountinfo" 2>/dev/null)
    [ "$peer" ] || continue
    found=$pid
    if [ "$(type_at 1 /srv/plug/disk)" ] && [ "$(type_at "$pid" /srv/plug/disk)" ]; then
        echo "mounted on the host, arrived at $(name_of "$pid") (pid $pid): /srv/plug/disk, through $peer"
        exit 0
    fi
done
if [ -z "$found" ]; then
    echo "not yet because no process in another namespace shares /srv/plug with the host: unshare made it private, or is older than the shared mount"
elif [ "$(type_at "$found" /srv/plug/disk)" ]; then
    echo "not yet because $(name_of "$found") (pid $found) sees a mount on /srv/plug/disk, and the host does not: mount it on the host"
else
    echo "not yet because nothing is mounted on /srv/plug/disk on the host since $(name_of "$found") (pid $found) shares it"
fi
exit 1
