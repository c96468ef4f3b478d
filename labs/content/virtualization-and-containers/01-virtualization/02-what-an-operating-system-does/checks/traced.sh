trace=/root/trace
if [ ! -s $trace ]; then
    echo "not yet because $trace does not exist or is empty"
elif ! grep -q '^execve("[^"]*/cat", \["cat"' $trace; then
    echo "not yet because the traced program is not cat: its first call is $(head -n 1 $trace | cut -c 1-40)"
elif ! grep -qE '^openat\([A-Z_]+, "(/root/)?letter", [A-Z_|]+\) = [0-9]' $trace; then
    echo "not yet because cat did not open /root/letter"
elif ! grep -q '^+++ exited with 0' $trace; then
    echo "not yet because the trace does not reach the end of the program"
else
    echo "cat made $(grep -c '(' $trace) system calls to show one letter"
    exit 0
fi
exit 1
