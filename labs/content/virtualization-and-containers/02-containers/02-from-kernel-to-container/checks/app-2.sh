. /.bulkhead/checks/lib.sh
complain_of_bundle app-2 /sbin/ip
pid=$(first_with /sbin/ip)
one=$(first_with /app.sh)
if [ -z "$pid" ]; then
    # The loader is what the kernel looks for first; it is the one line of ldd without an arrow but with a path.
    if [ -z "$(find /root/app-2/rootfs -name 'ld-linux*' -o -name 'ld-musl*')" ]; then
        echo "not yet because the loader is missing below /root/app-2/rootfs: the line of ldd without an arrow"
    elif [ -z "$(find /root/app-2/rootfs -name 'libc.so*')" ]; then
        echo "not yet because the loader is there, and libraries are missing below /root/app-2/rootfs"
    else
        echo "not yet because no process of App-2 lives: start it, and read what it says"
    fi
elif [ "$(ls "/proc/$pid/root/bin" 2>/dev/null | wc -l)" -gt 20 ]; then
    echo "not yet because App-2 has a whole system in its root filesystem: bring what it needs, no more"
elif [ -z "$one" ]; then
    echo "not yet because App-2 runs, and App-1 does not any more"
else
    echo "App-1 is pid $one, App-2 is pid $pid: two root filesystems, one kernel"
    exit 0
fi
exit 1
