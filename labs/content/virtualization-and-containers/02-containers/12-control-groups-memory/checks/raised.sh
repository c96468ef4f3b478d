. /.bulkhead/checks/lib.sh
need_group
limit=$(limit_mib)
set -- $(largest)
if [ "$limit" = none ]; then
    echo "not yet because the group has no limit any more: give it 96M"
elif [ "$limit" -lt 64 ]; then
    echo "not yet because the limit is still $limit MiB"
elif [ $# = 0 ]; then
    echo "not yet because the limit is $limit MiB, and no living process is in the group"
elif [ "$1" -lt 48 ]; then
    echo "not yet because the largest process in the group, $(name_of "$2") (pid $2), uses $1 MiB: 48 are needed"
else
    echo "$(name_of "$2") (pid $2) uses $1 MiB and lives: the limit is $limit MiB"
    exit 0
fi
exit 1
