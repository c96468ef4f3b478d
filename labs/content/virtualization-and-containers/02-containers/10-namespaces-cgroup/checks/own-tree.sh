. /.bulkhead/checks/lib.sh
for pid in $(crew); do
    member=$pid
    [ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/1/ns/mnt)" ] || continue
    own=$pid
    tree=$(tree_of "$pid")
    if [ "${tree% *}" = /ship ]; then
        echo "$(name_of "$pid") (pid $pid) sees on /mnt a tree whose top is ${tree% *}"
        exit 0
    fi
    [ "$tree" ] && wrong="on /mnt of $(name_of "$pid") (pid $pid) the top of the tree is ${tree% *}: it was mounted from another cgroup namespace"
done
if [ "$(tree_of 1)" ]; then
    echo "not yet because the host has a tree on /mnt now: that mount ran in the host's mount namespace. umount /mnt"
elif [ "$wrong" ]; then
    echo "not yet because $wrong"
elif [ "$own" ]; then
    echo "not yet because no cgroup tree is mounted on the /mnt of $(name_of "$own") (pid $own)"
elif [ "$member" ]; then
    echo "not yet because $(name_of "$member") (pid $member) has the cgroup namespace, and the host's mounts: a new mount needs --mount too"
else
    echo "not yet because no living process has ship for its top any more"
fi
exit 1
