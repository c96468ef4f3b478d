. /.bulkhead/checks/lib.sh
loop=$(loop_of_m1)
if [ -z "$loop" ]; then
    echo "not yet because no loop runs in m1 any more: its owner wants it to go on"
    exit 1
fi
for pid in $(processes_of m1); do
    [ "$(stat_field "$pid" 1)" = R ] && [ "$(stat_field "$pid" 12)" -ge 20 ] || continue
    nice=$(stat_field "$pid" 17)
    if [ "$nice" != 19 ]; then
        echo "not yet because process $pid of m1 still has the niceness $nice: 19 lets everybody pass"
        exit 1
    fi
done
for name in m2 m3 m4; do
    for other in $(processes_of $name); do
        [ "$(stat_field "$other" 17)" != 19 ] || { echo "not yet because process $other of $name lets everybody pass too: only the loop shall give way"; exit 1; }
    done
done
echo "process $loop of m1 runs on with the niceness 19"
