. /.bulkhead/checks/lib.sh
if [ "$(segments 1048576 unused < /proc/sysvipc/shm)" -gt 0 ]; then
    echo "segments of 1 MiB or more that nobody uses: $(segments 1048576 unused < /proc/sysvipc/shm)"
    exit 0
fi
if [ "$(segments 1 < /proc/sysvipc/shm)" -gt 0 ]; then
    echo "not yet because the host's segments are smaller than 1 MiB, or in use: a bare number counts bytes"
elif [ "$(wc -l < /proc/sysvipc/msg)" -gt 1 ] || [ "$(wc -l < /proc/sysvipc/sem)" -gt 1 ]; then
    echo "not yet because there is a queue or a semaphore, and no shared memory: the option is --shmem"
else
    echo "not yet because the host's IPC namespace has no shared memory segment"
fi
exit 1
