. /.bulkhead/checks/lib.sh
busy=$(number_in /root/busy 2>&1) || { echo "$busy"; exit 1; }
given=$(number_in /root/servers 2>&1) || { echo "$given"; exit 1; }
case $given in not*) echo "$given"; exit 1 ;; esac
awk -v busy="$busy" -v given="$given" 'BEGIN {
    exact = 40 * busy / 60
    need = int(exact); if (need < exact) need++
    if (need < 2) need = 2
    if (given == need) { printf "40 servers at %s percent fit on %d at %.0f percent\n", busy, need, 40 * busy / need; exit 0 }
    if (given != int(given)) print "not yet because half a server can not be bought: round up"
    else if (given < 2) print "not yet because one server alone may fail: at least two"
    else if (given < exact) printf "not yet because %d servers would be %.0f percent busy, more than 60\n", given, 40 * busy / given
    else print "not yet because fewer are enough: all the work, 40 times " busy ", divided by 60"
    exit 1
}'
