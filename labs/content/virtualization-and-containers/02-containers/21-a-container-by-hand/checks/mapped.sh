. /.bulkhead/checks/lib.sh
climb numbers root closed proc users
echo "$(name_of "$pid") (pid $pid): root inside, user 10000 outside"
