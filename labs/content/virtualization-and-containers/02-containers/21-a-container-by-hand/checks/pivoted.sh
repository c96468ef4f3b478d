. /.bulkhead/checks/lib.sh
climb numbers root closed proc
echo "$(name_of "$pid") (pid $pid) has the box for its root, and in its /proc stand processes: $(ls "/proc/$pid/root/proc" | grep -c '^[0-9]')"
