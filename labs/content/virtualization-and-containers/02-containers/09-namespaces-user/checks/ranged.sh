. /.bulkhead/checks/lib.sh
for pid in $(elsewhere); do
    [ "$(map_of "$pid")" = "0 10000 1000" ] || continue
    if [ "$(uid_of "$pid")" = 10033 ]; then
        echo "$(name_of "$pid") (pid $pid): user 33 inside, 10033 outside; the map is $(map_of "$pid")"
        exit 0
    fi
    mapped=$pid
done
if [ "$mapped" ]; then
    echo "not yet because the map is there, and $(name_of "$mapped") (pid $mapped) is user $(uid_of "$mapped") outside: nobody in it is 33 inside"
    exit 1
fi
for pid in $(elsewhere); do
    case $(map_of "$pid") in
        "0 1000 1") ;;
        "") reason="the map of $(name_of "$pid") (pid $pid) is empty" ;;
        *) reason="the map of $(name_of "$pid") (pid $pid) is $(map_of "$pid"), not 0 10000 1000" ;;
    esac
done
echo "not yet because ${reason:-no user namespace has the map 0 10000 1000}"
exit 1
