. /.bulkhead/checks/lib.sh
[ -p /root/door ] || { echo "not yet because /root/door is no named pipe: mkfifo /root/door"; exit 1; }
case $(uname -m) in aarch64) read_call=63; open_call=56 ;; *) read_call=0; open_call=257 ;; esac
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$(name_of "$pid")" = cat ] || continue
    call=$(cut -d ' ' -f 1 "/proc/$pid/syscall" 2>/dev/null)
    if [ "$(readlink "/proc/$pid/fd/0")" = /root/door ] || ls -l "/proc/$pid/fd" 2>/dev/null | grep -q '/root/door'; then
        [ "$call" = "$read_call" ] && echo "cat (pid $pid) sleeps in read, system call number $call" && exit 0
    elif [ "$call" = "$open_call" ]; then
        echo "not yet because cat (pid $pid) still waits for the door to be opened: nobody holds the other end"
        exit 1
    fi
done
echo "not yet because no cat is waiting at /root/door"
exit 1
