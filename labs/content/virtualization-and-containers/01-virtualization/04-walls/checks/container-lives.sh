. /.bulkhead/checks/course/vm.sh
grep -q 'end Kernel panic' /run/vm/one/console 2>/dev/null || { echo "not yet because no kernel has died so far"; exit 1; }
pid=$(container_with etc/machine)
[ "$pid" ] || { echo "not yet because the container does not run any more: start it again in /root/box"; exit 1; }
echo "process $pid of the container lives, and so does the host's kernel, up for $(cut -d . -f 1 /proc/uptime) s"
