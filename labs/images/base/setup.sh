# Runs as root in the new root tree, before anybody uses it.
useradd --create-home --uid 1000 --shell /bin/bash student
for home in /root /home/student; do
    printf '[ -r /.bulkhead/etc/bashrc ] && . /.bulkhead/etc/bashrc\n' > "$home/.bashrc"
done
chown student:student /home/student/.bashrc
printf 'lab\n' > /etc/hostname
printf '127.0.0.1 localhost lab\n' > /etc/hosts
: > /etc/resolv.conf
: > /etc/machine-id
# Mount points of the sandbox: the agent's folder, the spare proc and sysfs, the engines' storage.
mkdir -p /.bulkhead /.proc /.sys /var/lib/docker /var/lib/containers /var/lib/containerd /var/lib/lxc /var/lib/buildah
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/cache/debconf/*-old
