#!/bin/sh
# The first process of namespaces of its own: waits for its line to the outside, then becomes dockerd, with which all of it ends.
# dockerd.sh FOLDER CONTROL_GROUP
set -eu
mount --make-rprivate /
mount -t tmpfs run /run
ip link set lo up
until [ -n "$(ip -o link show up dev tap0 2>/dev/null)" ]; do sleep 0.1; done
echo 1 >/proc/sys/net/ipv4/ip_forward
exec dockerd --data-root "$1/docker" --exec-root /run/docker --pidfile /run/dockerd.pid --host "unix://$1/docker.sock" \
    --storage-driver overlay2 --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$2" --userland-proxy=false \
    --bip 172.30.0.1/24 --default-address-pool base=172.31.0.0/16,size=24 --dns 10.0.2.3
