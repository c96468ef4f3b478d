. /.bulkhead/checks/lib.sh
need_group cpu slow
for pid in $(members slow); do
    if [ "$(name_of "$pid")" != bash ]; then
        worker=$pid
    else
        shell=$pid
    fi
done
if [ "$worker" ] && [ "$(throttled slow)" -gt 0 ]; then
    echo "$(name_of "$worker") (pid $worker) has been stopped $(throttled slow) times so far"
    exit 0
elif [ "$worker" ]; then
    echo "not yet because $(name_of "$worker") (pid $worker) is in the group and was never stopped: has it anything to do, and has slow a quota of 20 %? It is $(quota_of slow)"
elif [ "$shell" ]; then
    echo "not yet because the group holds only a shell, pid $shell. If it is your terminal's, bring it back: echo $shell > $BACK/cgroup.procs"
elif [ "$(pidof yes)" ]; then
    echo "not yet because yes (pid $(pidof yes)) runs outside the group slow"
else
    echo "not yet because no living process is in the group slow"
fi
exit 1
