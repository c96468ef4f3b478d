. /.bulkhead/checks/lib.sh
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ -f "$folder/root/etc/box-release" ] || continue
    if [ "$(ns_of "$pid" mnt)" = "$HOST_MOUNTS" ]; then
        reason="$(name_of "$pid") (pid $pid) has the box for its root and the host's table of mounts: that is chroot alone"
    # What joins the namespace gets the namespace's own root: with chroot that is still the host's tree.
    elif ! /bin/nsenter -t "$pid" -m /bin/cat /etc/box-release >/dev/null 2>&1; then
        reason="$(name_of "$pid") (pid $pid) has a namespace of its own, and in it the old root is still the root: chroot, not pivot_root"
    elif [ "$(wc -l < "$folder/mountinfo")" != 1 ] && grep -q ' /old[ /]' "$folder/mountinfo"; then
        reason="$(name_of "$pid") (pid $pid) still has the old root below /old: unmount it with umount -l /old"
    else
        echo "$(name_of "$pid") (pid $pid) sees $(ls "$folder/root" | tr '\n' ' ')and mounts: $(wc -l < "$folder/mountinfo")"
        exit 0
    fi
done
if [ "$reason" ]; then
    echo "not yet because $reason"
else
    echo "not yet because no living process has /root/box/rootfs for its root"
fi
exit 1
