. /.bulkhead/checks/lib.sh
given=$(number_in /root/memory.kib 2>&1) || { echo "$given"; exit 1; }
case $given in not*) echo "$given"; exit 1 ;; esac
one=0; sum=0
for name in m1 m2 m3 m4; do
    pid=$(service_of $name)
    [ "$pid" ] || { echo "not yet because machine $name does not run any more"; exit 1; }
    one=$(rss_kib "$pid")
    sum=$((sum + one))
done
awk -v given="$given" -v sum=$sum -v one="$one" 'BEGIN {
    if (given >= 0.75 * sum && given <= 1.25 * sum) { printf "four idle machines: %d KiB, %.1f MiB\n", sum, sum / 1024; exit 0 }
    if (given >= 0.75 * one && given <= 1.25 * one) print "not yet because " given " KiB is one of the four: add them up"
    else if (given * 1024 >= 0.75 * sum && given * 1024 <= 1.25 * sum) print "not yet because " given " looks like MiB: ps counts in KiB"
    else if (given >= 100 * sum) print "not yet because " given " KiB is far more: free shows the memory of the whole server"
    else print "not yet because the four services use about " sum " KiB, and the file says " given
    exit 1
}'
