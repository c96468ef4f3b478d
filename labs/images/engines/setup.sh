# Engines as a sandbox needs them (no systemd, no FUSE, no registry), and images to start with.
dpkg -x debs/appc-spec.deb unpacked
install -m 755 unpacked/usr/bin/actool /usr/bin/actool
install -m 755 files/engine-up /usr/local/sbin/engine-up
install -m 755 files/image-archive /usr/local/bin/image-archive

# Podman and Buildah: groups without systemd, events in a file, names without a registry mean Docker's.
mkdir -p /etc/containers
cat > /etc/containers/containers.conf <<'END'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[containers]
log_driver = "k8s-file"
netns = "bridge"
END
printf '[storage]\ndriver = "overlay"\ngraphroot = "/var/lib/containers/storage"\nrunroot = "/run/containers/storage"\n' \
    > /etc/containers/storage.conf
printf 'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "localhost:5000"\ninsecure = true\n' \
    > /etc/containers/registries.conf
printf 'root:10000:50000\nstudent:10000:50000\n' | tee /etc/subuid > /etc/subgid

# containerd: its CRI plugin without what only a whole host has; the pause image is ours.
mkdir -p /etc/containerd /etc/cni/net.d
cp files/containerd.toml /etc/containerd/config.toml
cp files/lab.conflist /etc/cni/net.d/10-lab.conflist
printf 'USE_LXC_BRIDGE="true"\n' > /etc/default/lxc-net
# On a host whose kernel has AppArmor LXC would load a profile of its own, which is the host's to load.
sed -i '/^lxc.apparmor/d' /etc/lxc/default.conf
printf 'lxc.apparmor.profile = unconfined\n' >> /etc/lxc/default.conf
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/docker/registry}}\nhttp: {addr: ":5000"}\n' \
    > /etc/docker-registry.yml

# nspawn asks for a machine id; the same in every sandbox, because it names nothing.
printf 'b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\n' > /etc/machine-id

# Images, made here from the image's own busybox.
sh -eu files/images.sh
rm -rf unpacked /etc/cni/net.d/87-podman-bridge.conflist /etc/cni/net.d/100-crio-bridge.conf
