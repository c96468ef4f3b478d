#!/bin/sh
# PID 1 of the rig: the file systems of a Linux, cgroup version 2 and nothing of version 1, then the job on the second disk.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
exec < /dev/console > /dev/console 2>&1
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
for folder in /dev/shm /run /tmp; do mount -t tmpfs tmpfs $folder; done
chmod 1777 /tmp /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
modprobe -q dummy && ip link add wan type dummy && ip link set wan up  # or the host's network would look like a sandbox's
hostname rig
for module in overlay loop veth bridge nf_tables nft_chain_nat nft_compat nft_masq xt_MASQUERADE xt_addrtype xt_conntrack \
    xt_comment xt_mark br_netfilter ip_tables iptable_nat iptable_filter ip6_tables; do
    modprobe -q $module
done

# As systemd leaves a unit with Delegate=yes: nothing but groups at the top, our processes in one of their own.
mkdir /sys/fs/cgroup/rig
echo $$ > /sys/fs/cgroup/rig/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$controller > /sys/fs/cgroup/cgroup.subtree_control; done
read up _ < /proc/uptime
echo "rig: Linux $(uname -r), cgroup2 with $(cat /sys/fs/cgroup/cgroup.subtree_control), up after $up s"

cd /project
sh /project/rig-job
status=$?
read up _ < /proc/uptime
echo "rig: $up s after the start: status $status"
echo o > /proc/sysrq-trigger
sleep 60
