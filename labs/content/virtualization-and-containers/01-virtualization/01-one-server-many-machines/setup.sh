# Four machines: a root filesystem with one small web service each, and a configuration for an OCI runtime.
set -e
mkdir -p /srv/common && cd /srv/common
rm -f config.json
crun spec
for number in 1 2 3 4; do
    name=m$number
    mkdir -p "/srv/$name/rootfs/bin" "/srv/$name/rootfs/etc" "/srv/$name/rootfs/www"
    cp /bin/busybox "/srv/$name/rootfs/bin/busybox"
    for program in sh httpd ps hostname; do
        ln -sf busybox "/srv/$name/rootfs/bin/$program"
    done
    echo "$name" > "/srv/$name/rootfs/etc/machine"
    echo "Here is machine $name" > "/srv/$name/rootfs/www/index.html"
    # Host network: the four share the sandbox's loopback, and module 2 gives each a network of its own.
    jq --arg name "$name" --arg port "800$number" '.process.terminal = false | .hostname = $name
        | .linux.namespaces |= map(select(.type != "network"))
        | .process.args = ["/bin/httpd", "-f", "-p", $port, "-h", "/www"]' config.json > "/srv/$name/config.json"
done
rm -r /srv/common
# One processor for the terminal and all it starts, so that neighbours meet. Any will do: not everybody the same.
processor=$(taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }' | shuf -n 1)
echo "taskset -pc $processor \$\$ > /dev/null" > /root/.lab_profile
