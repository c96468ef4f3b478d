. /.bulkhead/checks/lib.sh
[ "$(elsewhere time)" ] || complain
for pid in $(elsewhere time); do
    seconds=$(offset "$pid" boottime)
    if [ "$seconds" = 864000 ]; then
        echo "for $(name_of "$pid") (pid $pid) the system is up for $(($(cut -d. -f1 /proc/uptime) + $seconds)) seconds, for the host $(cut -d. -f1 /proc/uptime)"
        exit 0
    fi
done
case $seconds in
    0) echo "not yet because the offset of $(name_of "$pid") (pid $pid) for boottime is 0: --boottime is missing" ;;
    10) echo "not yet because the offset of $(name_of "$pid") (pid $pid) is 10 seconds: days are counted in seconds" ;;
    *) echo "not yet because the offset of $(name_of "$pid") (pid $pid) for boottime is $seconds seconds, not 864000" ;;
esac
exit 1
