grep -qs Served /tmp/seen && echo "web has the page of db" && exit 0
echo "/tmp/seen does not hold the page of db"
exit 1
