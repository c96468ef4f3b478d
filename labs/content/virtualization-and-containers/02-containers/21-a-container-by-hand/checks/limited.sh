. /.bulkhead/checks/lib.sh
climb numbers root closed proc users limit
echo "$(name_of "$pid") (pid $pid) is in a group with 64 MiB"
