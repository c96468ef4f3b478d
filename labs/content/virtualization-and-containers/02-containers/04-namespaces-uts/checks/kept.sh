. /.bulkhead/checks/lib.sh
# mountinfo: the fourth field is the root of the mount, for a namespace its type and number (proc(5)).
kept=$(awk '$5 == "/run/harbour" { root = $4 } END { print root }' /proc/self/mountinfo)
case $kept in
    uts:*) ;;
    "") if [ -e /run/harbour ]; then
            echo "not yet because /run/harbour is an ordinary file: no namespace is mounted on it"
        else
            echo "not yet because there is no file /run/harbour"
        fi
        exit 1 ;;
    *) echo "not yet because what is mounted on /run/harbour is no UTS namespace"; exit 1 ;;
esac
if [ "$kept" = "$HOST_UTS" ]; then
    echo "not yet because /run/harbour holds the host's namespace: take the link from the process in the other one"
    exit 1
fi
for pid in $(elsewhere); do
    if [ "$(uts_of "$pid")" = "$kept" ]; then
        echo "not yet because $(name_of "$pid") (pid $pid) still lives in $kept: end every process in it"
        exit 1
    fi
done
echo "$kept lives on at /run/harbour without a process; its name is $(nsenter --uts=/run/harbour hostname)"
