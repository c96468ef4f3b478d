. /.bulkhead/checks/lib.sh
climb numbers
echo "$(name_of "$pid"): pid 1 inside, $pid outside"
