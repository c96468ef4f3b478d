. /.bulkhead/checks/lib.sh
# mountinfo: the fourth field is the root of the mount, for a namespace its type and number (proc(5)).
kept=$(awk '$5 == "/run/crew" { root = $4 } END { print root }' /proc/self/mountinfo)
case $kept in
    "$HOST_PIDS") echo "not yet because /run/crew holds the host's pid namespace: take the link of a process in the other one"; exit 1 ;;
    pid:*) ;;
    "") echo "not yet because no namespace is mounted on /run/crew"; exit 1 ;;
    *) echo "not yet because what is mounted on /run/crew is no pid namespace"; exit 1 ;;
esac
set --
for pid in $(elsewhere); do
    if [ "$(pids_of "$pid")" = "$kept" ]; then
        set -- "$@" "$pid"
        [ "$(inside_pid "$pid")" = 1 ] && first=$pid
    fi
done
if [ "$first" ]; then
    echo "not yet because its first process, $(name_of "$first") (pid $first), lives: TERM passes it by"
elif [ $# != 0 ]; then
    echo "not yet because $# processes in it are still ending"
else
    echo "$kept is empty, and only its name is left at /run/crew"
    exit 0
fi
exit 1
