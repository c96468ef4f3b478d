# Guests for QEMU's software emulation: a kernel, a small system in memory, and a whole Debian on a disk.
target=/opt/vm
mkdir -p $target unpacked initrd/bin initrd/modules initrd/proc initrd/sys initrd/dev initrd/new initrd/root initrd/tmp
dpkg -x debs/linux-image-*.deb unpacked
install -m 644 unpacked/boot/vmlinuz-* $target/vmlinuz

basename unpacked/lib/modules/* > $target/release

# Modules in the order in which they need each other.
number=10
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_balloon virtio_blk \
    failover net_failover virtio_net; do
    file=$(find unpacked/lib/modules -name "$module.ko")
    cp "$file" "initrd/modules/$number-$module.ko"
    number=$((number + 1))
done
mkdir -p initrd/www initrd/etc
printf 'Hello from a virtual machine\n' > initrd/www/index.html
cp /bin/busybox initrd/bin/busybox
install -m 755 files/guest-init initrd/init
(cd initrd && find . | LC_ALL=C sort | busybox cpio -o -H newc | gzip -9n) > $target/initrd.gz

# The Debian guest: this very system less the hypervisor, with the services that a server usually has.
mkdir guest
tar --one-file-system --exclude=./.recipe --exclude=./opt --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* \
    --exclude=./tmp/* --exclude=./.bulkhead --exclude=./.proc --exclude=./.sys -C / -cf - . | tar -C guest -xf -
mkdir -p guest/proc guest/sys guest/dev guest/tmp guest/run
chmod 1777 guest/tmp
export DEBIAN_FRONTEND=noninteractive
chroot guest apt-get -qq -y -o Dpkg::Use-Pty=0 autoremove --purge qemu-system-x86 qemu-utils
chroot guest apt-get clean
rm -rf guest/usr/share/doc guest/var/lib/apt/lists/* guest/etc/ssh/ssh_host_*
echo debian > guest/etc/hostname
printf '127.0.0.1 localhost debian\n' > guest/etc/hosts
: > guest/etc/fstab
printf 'export PS1="guest# "\nexport TERM=dumb PAGER=cat SYSTEMD_PAGER= SYSTEMD_COLORS=0\n' > guest/root/.bash_profile
: > guest/etc/machine-id
mkdir -p guest/etc/systemd/system/serial-getty@ttyS0.service.d
printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear --noissue %%I dumb\n' \
    > guest/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf
: > guest/root/.hushlogin
rm -f guest/root/.bashrc
# Keys are made at the first start, as every real installation does: no two guests have the same.
printf '[Unit]\nBefore=ssh.service\nConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n[Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key\n[Install]\nWantedBy=multi-user.target\n' \
    > guest/etc/systemd/system/host-key.service
chroot guest systemctl -q enable host-key.service
# Under emulation each start of a program costs ten times what it should: what this machine has no use for stays away.
chroot guest systemctl -q mask e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer getty@tty1.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-kernel-config.mount sys-fs-fuse-connections.mount systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-random-seed.service systemd-sysusers.service systemd-pstore.service systemd-binfmt.service \
    proc-sys-fs-binfmt_misc.automount modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service \
    modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service kmod-static-nodes.service
mkdir -p guest/etc/systemd/system/systemd-udev-trigger.service.d
printf '[Service]\nExecStart=\nExecStart=-/bin/udevadm trigger --subsystem-match=block --subsystem-match=tty --sysname-match=vda --sysname-match=ttyS0 --action=add\n' \
    > guest/etc/systemd/system/systemd-udev-trigger.service.d/few.conf
truncate -s 700M disk.raw
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d guest -L debian disk.raw
qemu-img convert -q -O qcow2 -c -o compression_type=zstd disk.raw $target/debian.qcow2
rm -rf guest disk.raw unpacked initrd

# This system itself needs only the hypervisor, and of that only what these labs use.
apt-get -qq -y -o Dpkg::Use-Pty=0 autoremove --purge systemd-sysv udev dbus cron rsyslog openssh-server logrotate
rm -f /usr/bin/qemu-system-i386 /usr/bin/qemu-system-x86_64-microvm
find /usr/lib/x86_64-linux-gnu/qemu -name '*.so' ! -name accel-tcg-x86_64.so -delete
find /usr/share/qemu -type f ! -name linuxboot_dma.bin ! -name multiboot_dma.bin ! -name kvmvapic.bin ! -name pvh.bin -delete
find /usr/share/qemu -type l ! -exec test -e {} \; -delete
find /usr/lib/ipxe -type f ! -name efi-virtio.rom -delete
find /usr/share/seabios -type f ! -name bios-256k.bin -delete
rm -rf /usr/libexec/qemu-system-i386 /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd /usr/bin/qemu-io /usr/bin/qemu-nbd \
    /usr/bin/qemu-storage-daemon /usr/bin/qemu-pr-helper /usr/share/iso-codes /usr/share/xml/iso-codes
mkdir -p /usr/local/lib/vm
install -m 644 files/qmp.py files/machines.py /usr/local/lib/vm/
install -m 755 files/vm files/qmp /usr/local/bin/
