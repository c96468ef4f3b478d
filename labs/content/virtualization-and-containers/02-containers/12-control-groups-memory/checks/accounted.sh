. /.bulkhead/checks/lib.sh
need_group
set -- $(largest)
if [ $# = 0 ]; then
    echo "not yet because no living process is in the group: writing its number into cgroup.procs moves it"
    exit 1
fi
complain_of_shell
if [ "$(usage_mib)" -lt 16 ] && [ "$1" -ge 16 ]; then
    echo "not yet because $(name_of "$2") (pid $2) took its memory before it came in: that stays on the old group's bill. Move first, then start"
elif [ "$1" -lt 16 ]; then
    echo "not yet because the largest process in the group, $(name_of "$2") (pid $2), uses $1 MiB: 16 are needed"
else
    echo "$(name_of "$2") (pid $2) uses $1 MiB; the group's bill says $(usage_mib) of $(limit_mib) MiB"
    exit 0
fi
exit 1
