# A type 1 hypervisor to boot in software: Xen, a dom0 in an initial RAM disk with xl, and a guest for it.
for deb in debs/*.deb; do dpkg -x "$deb" unpacked; done
mkdir -p /opt/xen
gzip -dc unpacked/boot/xen-4.17-amd64.gz > /opt/xen/xen
python3 files/vmlinux unpacked/boot/vmlinuz-* > vmlinux
gzip -9nc vmlinux > /opt/xen/vmlinux.gz
install -m 755 files/xen /usr/local/bin/xen

root=dom0
mkdir -p $root/bin $root/mods $root/proc $root/sys $root/dev $root/etc/xen $root/root $root/tmp $root/run $root/boot \
    $root/lib64 $root/usr/lib/xen-4.17/bin $root/usr/bin $root/var/lib/xen $root/var/log/xen
ln -s /run $root/var/run
cp /bin/busybox $root/bin/busybox
install -m 755 files/dom0-init $root/init
printf 'root:x:0:0:root:/root:/bin/sh\n' > $root/etc/passwd
tools=/usr/lib/xen-4.17/bin
for tool in xl xen-init-dom0 xenstored xenconsoled xenconsole xenstore-ls xenstore-read xenstore-write; do
    for place in $tools /usr/sbin /usr/bin /usr/lib/xen-common/bin; do
        [ ! -e "$root$tools/$tool" ] && [ -e "$place/$tool" ] && cp -L "$place/$tool" "$root$tools/" || true
    done
done
find $root$tools -type f -exec ldd {} + 2> /dev/null | awk '$1 ~ "^/" && $1 !~ ":$" { print $1 } $3 ~ "^/" { print $3 }' \
    | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp -L /lib/x86_64-linux-gnu/libgcc_s.so.1 $root/lib/x86_64-linux-gnu/  # glibc loads it by name when a thread ends
for module in xen-evtchn xen-privcmd xen-gntdev xen-gntalloc xenfs; do
    file=$(find unpacked/lib/modules -name "$module.ko")
    [ -z "$file" ] || cp "$file" $root/mods/
done
# The guest of dom0 boots the same kernel, with nothing but busybox.
cp /opt/xen/vmlinux.gz $root/boot/vmlinux.gz
mkdir -p guest/bin guest/proc guest/sys guest/dev guest/root
cp /bin/busybox guest/bin/busybox
install -m 755 files/guest-init guest/init
sh files/initrd guest $root/boot/guest.gz
cp files/guest.cfg $root/root/guest.cfg
printf 'autoballoon="off"\n' > $root/etc/xen/xl.conf
sh files/initrd $root /opt/xen/dom0.gz
rm -rf /usr/lib/xen-4.17/boot /usr/lib/debug
