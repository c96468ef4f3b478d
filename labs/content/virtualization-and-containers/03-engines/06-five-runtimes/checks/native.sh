. /.bulkhead/checks/lib.sh
need crun
first=$pid
need runc
echo "crun's is process $first, runc's is process $pid; both are $(cat "/proc/$pid/comm")"
