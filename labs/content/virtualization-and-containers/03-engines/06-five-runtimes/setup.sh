# One root filesystem, and two bundles on it: five sleeps, quick ends at once. What is there already stays.
mkdir -p /root/five /root/quick
[ -d /root/five/rootfs ] || cp -a /opt/images/rootfs /root/five/
cd /root/five
[ -f config.json ] || { runc spec && mv config.json spec.json; }
[ -f config.json ] || jq '.process.terminal = false | .root.path = "/root/five/rootfs" | .process.args = ["sleep", "6000"]' spec.json > config.json
[ -f /root/quick/config.json ] || jq '.process.args = ["true"]' config.json > /root/quick/config.json
rm -f spec.json
printf 'lxc.rootfs.path = dir:/root/five/rootfs\nlxc.uts.name = five\nlxc.net.0.type = empty\n' > /root/five.conf
