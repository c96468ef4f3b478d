# The storage of the sandbox is a filesystem on a block device. It gets a plain name, and a limit is tried: a worker
# that keeps disks in memory has no device to limit, and must say so.
set -e
mkdir -p /disk
mount --bind /var/lib/lxc /disk
device=$(mountpoint -d /disk)
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    # Version 2 hands the io controller to child groups only if the parent holds no process itself
    # (cgroups(7), "no internal processes"): everything that runs moves into a child called rest.
    cd /sys/fs/cgroup
    mkdir -p rest
    for attempt in 1 2 3 4 5; do
        for pid in $(cat cgroup.procs); do
            [ "$pid" = 0 ] || echo "$pid" > rest/cgroup.procs || true
        done
        if echo +io > cgroup.subtree_control; then
            break
        fi
    done
    mkdir try
    echo "$device wbps=1048576" > try/io.max || { echo "this worker has no disk that can be slowed down"; exit 1; }
else
    cd /sys/fs/cgroup/blkio
    mkdir try
    echo "$device 1048576" > try/blkio.throttle.write_bps_device ||
        { echo "this worker has no disk that can be slowed down"; exit 1; }
fi
rmdir try
