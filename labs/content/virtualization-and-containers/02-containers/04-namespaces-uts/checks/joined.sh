. /.bulkhead/checks/lib.sh
for first in $(entered); do
    for second in $(entered); do
        if [ "$first" != "$second" ] && [ "$(uts_of "$first")" = "$(uts_of "$second")" ]; then
            echo "$(name_of "$first") (pid $first) and $(name_of "$second") (pid $second) share $(uts_of "$first"), on $(host_name_in "$first")"
            exit 0
        fi
    done
done
set -- $(entered)
if [ $# = 0 ]; then
    echo "not yet because no process lives in a UTS namespace of its own any more: make one again as in the first step"
elif [ $# = 1 ]; then
    echo "not yet because only $(name_of "$1") (pid $1) came into that namespace; what it starts itself is born there and did not join"
else
    echo "not yet because $# processes left the host's namespace, each for another one: unshare makes a new one, nsenter joins"
fi
exit 1
