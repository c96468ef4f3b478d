. /.bulkhead/checks/lib.sh
need_group cpu slow
quota=$(quota_of slow)
case $quota in
    20) echo "the group slow may use 20 % of a CPU"; exit 0 ;;
    none) echo "not yet because the group slow has no quota" ;;
    *) echo "not yet because the quota of slow is $quota % of a CPU, not 20" ;;
esac
exit 1
