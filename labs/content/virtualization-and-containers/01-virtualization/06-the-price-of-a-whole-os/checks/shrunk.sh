. /.bulkhead/checks/lib.sh
if [ -z "$(page 8083)" ]; then
    echo "not yet because nothing answers on port 8083"
    exit 1
fi
for folder in /proc/[0-9]*; do
    tr '\0' ' ' < "$folder/cmdline" 2>/dev/null | grep -q ' 8083 ' || continue
    if [ "$(readlink "$folder/ns/pid")" = "$(readlink /proc/1/ns/pid)" ]; then
        echo "not yet because what answers is no container: let crun start it"
        exit 1
    fi
    files=$(find "$folder/root/" -xdev -type f | wc -l)
    if [ "$files" -gt 3 ]; then
        echo "not yet because its root filesystem has $files files: three are enough"
        exit 1
    fi
    echo "$files files, $(find "$folder/root/" -xdev -type f -exec stat -c %s {} + | awk '{ sum += $1 } END { print int(sum / 1024) }') KiB, and it answers"
    exit 0
done
echo "not yet because it can't be seen who answers on port 8083: give the port with -p 8083"
exit 1
