. /.bulkhead/checks/lib.sh
need_running public
if grep -q '"PortBindings":{}' "$(record_of public)/hostconfig.json"; then
    echo "not yet because public publishes no port: --publish has to stand before the name of the image"
elif ! grep -q '"HostPort":"8080"' "$(record_of public)/hostconfig.json"; then
    echo "not yet because public publishes $(sed -n 's/.*"PortBindings":\({[^]]*\)\].*/\1/p' "$(record_of public)/hostconfig.json"), not port 8080 of the host"
elif ! $BUSYBOX wget -q -O - http://127.0.0.1:8080/ 2>/dev/null | grep -q .; then
    echo "not yet because port 8080 leads to a port of the container where nobody answers: the server is at 80"
else
    echo "port 8080 of the host leads to public (pid $pid)"
    exit 0
fi
exit 1
