. /.bulkhead/checks/lib.sh
need_running page
parent=$(awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status")
if [ "$(name_of "$pid")" != httpd ]; then
    echo "not yet because page runs $(name_of "$pid"), not the web server: what stands behind the image's name replaces its program"
    exit 1
fi
echo "page is $(name_of "$pid"): pid 1 inside, $pid outside, child of $(name_of "$parent") (pid $parent)"
