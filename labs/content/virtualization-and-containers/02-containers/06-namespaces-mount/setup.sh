# A small root filesystem: one program under many names.
set -e
mkdir -p /root/box/rootfs/bin /root/box/rootfs/etc /root/box/rootfs/proc
cd /root/box
cp /bin/busybox rootfs/bin/busybox
for name in sh sleep ps ls cat id mount umount hostname echo; do
    ln -sf busybox "rootfs/bin/$name"
done
echo "The root filesystem of the box" > rootfs/etc/box-release
