. /.bulkhead/checks/lib.sh
need podman
first=$pid
need lxc
echo "Podman's is process $first, LXC's is process $pid"
