# A small root filesystem: one program under many names, and a text. Made once: resuming keeps what the student did.
[ ! -e /srv/box/etc/motd ] || exit 0
mkdir -p /srv/box/bin /srv/box/etc
cp /bin/busybox /srv/box/bin/busybox
for name in sh cat ls; do
    ln -sf busybox "/srv/box/bin/$name"
done
echo "Welcome to the box" > /srv/box/etc/motd
