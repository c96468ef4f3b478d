. /.bulkhead/checks/lib.sh
climb
echo "$(name_of "$pid") (pid $pid) sees $(ls "/proc/$pid/root" | tr '\n' ' ')"
