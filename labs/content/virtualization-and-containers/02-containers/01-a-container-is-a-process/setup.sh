# A bundle for an OCI runtime: a root filesystem with one program under many names, and a configuration.
set -e
mkdir -p /root/box/rootfs/bin /root/box/rootfs/etc
cd /root/box
cp /bin/busybox rootfs/bin/busybox
for name in sh sleep ps ls cat uname hostname id kill true echo; do
    ln -sf busybox "rootfs/bin/$name"
done
echo "The root filesystem of the container demo" > rootfs/etc/box-release
rm -f config.json
crun spec
jq '.process.terminal = false | .root.readonly = false | .hostname = "demo"
    | .process.args = ["/bin/sleep", "3600"]' config.json > long.json
jq '.process.args = ["/bin/true"]' long.json > once.json
mv long.json config.json
