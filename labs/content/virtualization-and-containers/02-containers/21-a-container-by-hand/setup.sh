# A small root filesystem, and a place for overlay layers: their upper folder can't lie on the sandbox's own overlay.
set -e
mkdir -p /srv/layers /srv/root
mount --bind /var/lib/lxc /srv/layers
for folder in bin etc proc tmp old dev sys; do
    mkdir -p "/srv/box/$folder"
done
cd /srv/box
cp /bin/busybox bin/busybox
for name in sh sleep ps ls cat id kill mount umount touch rm echo true ip hostname; do
    ln -sf busybox "bin/$name"
done
echo "The root filesystem of the box" > etc/box-release
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    # Version 2 hands the memory controller to child groups only if the parent holds no process itself
    # (cgroups(7), "no internal processes"): everything that runs moves into a child called rest.
    cd /sys/fs/cgroup
    mkdir -p rest
    for attempt in 1 2 3 4 5; do
        for pid in $(cat cgroup.procs); do
            [ "$pid" = 0 ] || echo "$pid" > rest/cgroup.procs || true
        done
        if echo +memory > cgroup.subtree_control; then
            exit 0
        fi
    done
    exit 1
fi
