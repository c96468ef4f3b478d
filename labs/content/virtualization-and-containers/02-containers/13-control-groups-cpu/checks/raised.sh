. /.bulkhead/checks/lib.sh
need_group cpu slow
quota=$(quota_of slow)
if [ "$quota" != 50 ]; then
    echo "not yet because the quota of slow is $quota, not 50 %"
elif [ -z "$(members slow)" ]; then
    echo "not yet because the quota is 50 %, and the program in the group has ended: start it again"
else
    set -- $(members slow)
    echo "$(name_of "$1") (pid $1) goes on running, now with 50 % of a CPU"
    exit 0
fi
exit 1
