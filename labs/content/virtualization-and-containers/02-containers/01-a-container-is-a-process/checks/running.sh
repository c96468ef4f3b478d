. /.bulkhead/checks/lib.sh
pid=$(first_pid)
if [ "$pid" ]; then
    echo "$(name_of "$pid"): pid 1 inside, $pid outside"
    exit 0
fi
chrooted=$(in_box | head -n 1)
if [ "$chrooted" ]; then
    echo "not yet because process $chrooted has the container's files and still the host's process numbers: chroot alone makes no container"
elif [ -d /run/crun/demo ] || [ -d /run/runc/demo ]; then
    echo "not yet because the container demo is known to the runtime, and no process of it lives: delete it, then run it again"
else
    echo "not yet because no process lives in the root filesystem /root/box/rootfs"
fi
exit 1
