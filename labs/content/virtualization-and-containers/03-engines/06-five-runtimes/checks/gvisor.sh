. /.bulkhead/checks/lib.sh
pid=$(pid_of gvisor)
if [ -z "$pid" ] || [ ! -d "/proc/$pid" ]; then
    if pidof runsc-sandbox runsc > /dev/null; then
        echo "not yet because runsc runs something, but no container called five-gvisor"
    else
        echo "not yet because runsc knows no running container five-gvisor"
    fi
    exit 1
fi
if ! tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q 'runsc-sandbox.*/root/five'; then
    echo "not yet because process $pid is no gVisor sandbox of the bundle /root/five"
    exit 1
fi
echo "process $pid is a kernel: the Sentry, with the bundle /root/five in it"
