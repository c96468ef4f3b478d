for file in /root/before /root/after; do
    [ -s "$file" ] || { echo "not yet because $file does not exist or is empty"; exit 1; }
    grep -qE '^cpu +([0-9]+ +){7}' "$file" || { echo "not yet because $file does not begin with the line \"cpu ...\" of /proc/stat"; exit 1; }
    [ "$(wc -l < "$file")" -le 1 ] || { echo "not yet because $file holds more than the first line: head -n 1"; exit 1; }
done
processors=$(grep -c '^cpu[0-9]' /proc/stat)
head -n 1 /proc/stat | cat /root/before /root/after - | awk -v processors="$processors" '{
    for (i = 2; i <= 9; i++) sum[NR] += $i
} END {
    seconds = (sum[2] - sum[1]) / 100 / processors
    if (seconds == 0) print "not yet because both files hold the same reading"
    else if (seconds < 0) print "not yet because /root/after was taken before /root/before"
    else if (sum[3] < sum[2]) print "not yet because /root/after lies in the future: it is no reading of this server"
    else if (seconds < 4) printf "not yet because the readings are only %.1f seconds apart: five are needed, or chance decides\n", seconds
    else { printf "%.1f seconds between the readings, on %d processors\n", seconds, processors; exit 0 }
    exit 1
}'
