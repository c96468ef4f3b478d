. /.bulkhead/checks/lib.sh
need_image app:2
need_running app
image=$(sed -n 's/.*"Image":"sha256:\([0-9a-f]*\)".*/\1/p' "$(record_of app)/config.v2.json")
page=$($BUSYBOX wget -q -O - http://127.0.0.1:8080/ 2>/dev/null)
if [ "$(image_of app:1)" = "$(image_of app:2)" ]; then
    echo "not yet because app:2 is the same image as app:1: it was built before the code was changed"
elif [ "$image" != "$(image_of app:2)" ]; then
    echo "not yet because the container app is made of another image than app:2: remove it and run it again"
elif [ "$page" != "version 2" ]; then
    echo "not yet because http://localhost:8080/ shows '$page'"
else
    echo "app (pid $pid) is made of app:2, and port 8080 shows: $page"
    exit 0
fi
exit 1
