. /.bulkhead/checks/lib.sh
found=$(workers | awk '$2 <= $1 / 10 { print; exit }')
if [ "$found" ]; then
    set -- $found
    echo "$4 (pid $3): $(($1 / 100)) s of its own, $(($2 / 100)).$(printf %02d $(($2 % 100))) s in the kernel"
    exit 0
fi
if [ "$(workers)" ]; then
    echo "not yet because the busy processes spend much of their time in the kernel: a loop without calls is wanted"
else
    echo "not yet because no process has been computing for a second"
fi
exit 1
