. /.bulkhead/checks/lib.sh
kernel=$(cat /proc/sys/kernel/osrelease)
file=/root/box/rootfs/kernel
if [ -z "$(first_pid)" ]; then
    echo "not yet because the container is not running any more: start it again as in the first step"
elif [ -f /kernel ] && [ ! -f "$file" ]; then
    echo "not yet because /kernel was written on the host: the > belongs to the host's shell unless it stands inside the quotes"
elif [ ! -f "$file" ]; then
    echo "not yet because the container has no file /kernel (on the host: $file)"
elif [ "$(tr -d '\n\r' < "$file")" != "$kernel" ]; then
    echo "not yet because the file does not hold what uname -r prints, and nothing else"
else
    echo "inside and outside: kernel $kernel"
    exit 0
fi
exit 1
