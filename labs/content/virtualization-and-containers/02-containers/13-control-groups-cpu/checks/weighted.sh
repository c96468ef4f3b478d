. /.bulkhead/checks/lib.sh
need_group cpu one
need_group cpu three
one=$(weight_of one)
three=$(weight_of three)
if [ "$three" != $(($one * 3)) ]; then
    echo "not yet because the weights are $one and $three: three has to have three times as much as one"
    exit 1
fi
for group in one three; do
    set -- $(members $group)
    if [ $# != 1 ]; then
        echo "not yet because the number of processes in the group $group is $#: it has to be one"
        exit 1
    fi
    eval "pid_$group=$1"
done
if [ "$(cpus_of $pid_one)" != "$(cpus_of $pid_three)" ] || case $(cpus_of $pid_one) in *[!0-9]*) true ;; *) false ;; esac; then
    echo "not yet because they don't compete: $(name_of $pid_one) may use CPU $(cpus_of $pid_one), $(name_of $pid_three) CPU $(cpus_of $pid_three). taskset nails both to one"
    exit 1
fi
# A clock tick is 10 ms (USER_HZ is 100 on all architectures that we know, proc(5)).
before_one=$(ticks_of $pid_one)
before_three=$(ticks_of $pid_three)
sleep 2
got_one=$(($(ticks_of $pid_one) - $before_one))
got_three=$(($(ticks_of $pid_three) - $before_three))
if [ $got_three -gt 20 ] && [ $(($got_one * 2)) -le $got_three ] && [ $(($got_one * 5)) -ge $got_three ]; then
    echo "in two seconds, one got $(($got_one * 10)) ms of CPU $(cpus_of $pid_one), three got $(($got_three * 10)) ms"
    exit 0
fi
echo "not yet because in two seconds one got $(($got_one * 10)) ms and three $(($got_three * 10)) ms: both need a program that wants all it can get"
exit 1
