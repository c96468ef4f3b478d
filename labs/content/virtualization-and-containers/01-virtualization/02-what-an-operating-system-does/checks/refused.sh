trace=/tmp/refused
if [ ! -s $trace ]; then
    echo "not yet because $trace does not exist or is empty: can the user student write there? An old file of root's would stand in the way"
elif grep -qE '^openat\([A-Z_]+, "(/root/)?letter", [A-Z_|]+\) = [0-9]' $trace; then
    echo "not yet because the letter was opened: root may. Let the user student run strace"
elif ! grep -qE '^openat\([A-Z_]+, "/root/letter", [A-Z_|]+\) = -1 EACCES' $trace; then
    echo "not yet because the trace holds no refused openat of /root/letter"
elif [ "$(stat -c %U $trace)" != student ]; then
    echo "not yet because the trace was written by $(stat -c %U $trace), not by the user student"
else
    echo "openat of /root/letter: -1 EACCES, decided by the kernel"
    exit 0
fi
exit 1
