. /.bulkhead/checks/lib.sh
given=$(number_in /root/busy 2>&1) || { echo "$given"; exit 1; }
case $given in not*) echo "$given"; exit 1 ;; esac
cat /root/before /root/after | awk -v given="$given" '{
    for (i = 2; i <= 9; i++) all[NR] += $i
    idle[NR] = $5; wait[NR] = $6
} END {
    total = all[2] - all[1]
    quiet = idle[2] - idle[1]
    busy = 100 * (total - quiet - (wait[2] - wait[1])) / total
    near = 1.01
    if (near > given - busy && given - busy > -near) { printf "%.1f percent busy, %.1f percent idle\n", busy, 100 - busy; good = 1 }
    else if (near > given - (100 - busy) && given - (100 - busy) > -near) print "not yet because " given " is the share of idle time; busy is the rest"
    else if (near > 100 * given - busy && 100 * given - busy > -near) print "not yet because " given " is a fraction; in percent it is a hundred times that"
    else if (near > given - 100 * (total - quiet) / total && given - 100 * (total - quiet) / total > -near) print "not yet because iowait is idle time too: somebody waits, the processor does not work"
    else if (near > given - 100 * (1 - (idle[2] + wait[2]) / all[2]) && given - 100 * (1 - (idle[2] + wait[2]) / all[2]) > -near) print "not yet because this is the average since the server was started: take the difference of the two readings"
    else print "not yet because " given " does not follow from the two readings: busy time divided by all time, times 100"
    exit !good
}'
