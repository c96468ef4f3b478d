. /.bulkhead/checks/lib.sh
for pid in $(programs); do
    if ! is_contained "$pid"; then
        left=$pid
        continue
    fi
    case $(version_of "$pid") in 2*) two=$pid ;; 3*) three=$pid ;; esac
done
if [ -z "$two" ] || [ -z "$three" ]; then
    echo "not yet because in containers run: $([ "$two" ] && echo "the report; the invoice is missing")$([ "$three" ] && echo "the invoice; the report is missing")$([ -z "$two$three" ] && echo "neither of them")"
elif [ "$left" ]; then
    echo "not yet because a program of the last step still runs outside of containers (pid $left): kill $left"
else
    echo "python $(version_of "$two") (pid $two) and python $(version_of "$three") (pid $three), each number 1 of its own"
    exit 0
fi
exit 1
