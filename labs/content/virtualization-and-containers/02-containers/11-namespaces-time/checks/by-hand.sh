. /.bulkhead/checks/lib.sh
[ "$(elsewhere time)" ] || complain
for pid in $(elsewhere time); do
    [ "$(offset "$pid" boottime)" = 864000 ] && continue
    seconds=$(offset "$pid" monotonic)
    if [ "$seconds" = 3600 ] && [ "$(offset "$pid" boottime)" = 0 ]; then
        echo "for $(name_of "$pid") (pid $pid) monotonic is 3600 seconds ahead, and boottime as on the host"
        exit 0
    fi
    reason="the offsets of $(name_of "$pid") (pid $pid) are monotonic $seconds and boottime $(offset "$pid" boottime)"
done
if [ -z "$reason" ]; then
    for pid in $(waiting); do
        [ "$(offset "$pid" monotonic)" = 3600 ] &&
            reason="$(name_of "$pid") (pid $pid) has written the offset and is outside itself: nobody was born inside"
    done
fi
echo "not yet because ${reason:-only the process of the first step is in a time namespace}"
exit 1
