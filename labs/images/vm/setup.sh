# A guest to boot in two seconds: Debian's cloud kernel, and an initial RAM disk with busybox and a few drivers.
dpkg -x debs/linux-image-*.deb kernel
mkdir -p /opt/vm
cp kernel/boot/vmlinuz-* /opt/vm/vmlinuz
install -m 755 files/vm /usr/local/bin/vm
install -m 755 files/initrd /usr/local/bin/initrd

mkdir -p guest/bin guest/mods guest/proc guest/sys guest/dev guest/etc guest/root guest/tmp guest/www
cp /bin/busybox guest/bin/busybox
install -m 755 files/guest-init guest/init
printf 'root:x:0:0:root:/root:/bin/sh\n' > guest/etc/passwd
printf '<h1>It works, in a virtual machine</h1>\n' > guest/www/index.html
number=10
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover \
    virtio_net virtio_balloon overlay; do
    file=$(find kernel/lib/modules -name "$module.ko")
    if [ -n "$file" ]; then
        cp "$file" "guest/mods/$number-$module.ko"
    elif ! grep -q "/$module.ko" kernel/lib/modules/*/modules.builtin; then
        echo "the kernel has no driver $module" >&2
        exit 1
    fi
    number=$((number + 1))
done
cp -a guest /opt/vm/guest
initrd /opt/vm/guest /opt/vm/initrd.gz

# Only the software emulation of this processor: no BIOSes of other machines, no displays, no block drivers for networks.
rm -f /usr/bin/qemu-system-i386 /usr/bin/qemu-system-x86_64-microvm
find /usr/lib/x86_64-linux-gnu/qemu -name '*.so' ! -name 'accel-tcg-x86_64.so' -delete
find /usr/share/qemu -type f ! -name linuxboot_dma.bin ! -name multiboot_dma.bin ! -name kvmvapic.bin ! -name pvh.bin -delete
find /usr/share/qemu -type l ! -exec test -e {} \; -delete
find /usr/lib/ipxe -type f ! -name efi-virtio.rom -delete
find /usr/share/seabios -type f ! -name bios-256k.bin -delete
rm -rf /usr/libexec/qemu-system-i386 /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd /usr/bin/qemu-io /usr/bin/qemu-nbd \
    /usr/bin/qemu-storage-daemon /usr/share/iso-codes /usr/share/xml/iso-codes
