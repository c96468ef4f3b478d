. /.bulkhead/checks/lib.sh
for first in $(crew); do
    for second in $(crew); do
        [ "$first" != "$second" ] && [ "$(ns_of "$first" cgroup)" = "$(ns_of "$second" cgroup)" ] || continue
        [ "$(ns_of "$(parent_of "$second")" cgroup)" != "$(ns_of "$second" cgroup)" ] || continue
        [ "$(ns_of "$(parent_of "$first")" cgroup)" != "$(ns_of "$first" cgroup)" ] || continue
        echo "$(name_of "$second") (pid $second) shares $(ns_of "$second" cgroup) and the group /ship with $(name_of "$first") (pid $first)"
        exit 0
    done
    member=$first
done
for pid in $(elsewhere cgroup); do
    [ "$member" ] && [ "$(group_of "$pid")" != /ship ] && [ "$(group_seen "$pid" "$pid")" != / ] &&
        reason="$(name_of "$pid") (pid $pid) joined the namespace and was not moved: it reads $(group_seen "$pid" "$pid")"
done
if [ "$reason" ]; then
    echo "not yet because $reason"
elif [ "$member" ]; then
    echo "not yet because nobody came in from the host and joined $(name_of "$member") (pid $member): unshare makes, nsenter joins"
else
    echo "not yet because no living process has ship for its top any more"
fi
exit 1
