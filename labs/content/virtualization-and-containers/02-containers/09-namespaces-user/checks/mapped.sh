. /.bulkhead/checks/lib.sh
for pid in $(students); do
    echo "$(name_of "$pid") (pid $pid): user 0 inside, 1000 outside; the map is $(map_of "$pid")"
    exit 0
done
for pid in $(elsewhere); do
    if [ "$(uid_of "$pid")" = 0 ]; then
        reason="$(name_of "$pid") (pid $pid) is in a user namespace, and outside it is root: start it as student, with \$as_student before it"
    elif [ -z "$(map_of "$pid")" ]; then
        reason="$(name_of "$pid") (pid $pid) has no map: inside it is nobody. --map-root-user writes one"
    else
        reason="the map of $(name_of "$pid") (pid $pid) is $(map_of "$pid")"
    fi
done
echo "not yet because ${reason:-every living process has the map of the host: $HOST_MAP}"
exit 1
