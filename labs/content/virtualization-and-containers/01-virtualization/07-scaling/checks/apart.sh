. /.bulkhead/checks/course/vm.sh
first=$(du -k /root/web-1.qcow2 2>/dev/null | cut -f 1)
others=$(du -ck /root/web-2.qcow2 /root/web-3.qcow2 2>/dev/null | tail -n 1 | cut -f 1)
if [ "${first:-0}" -lt 4096 ]; then
    need_running one
    option_of "$(qemu_of one)" -drive | grep -q web-1.qcow2 || { echo "not yet because the machine one has no disk web-1.qcow2: start it with --disk"; exit 1; }
    echo "not yet because web-1.qcow2 takes only ${first:-0} KiB: the guest has not written, or it is still in its memory"
elif [ "${others:-0}" -ge 4096 ]; then
    echo "not yet because web-2 and web-3 have grown too: only the first machine should write"
else
    echo "web-1: $first KiB of its own; web-2 and web-3: $others KiB; the golden image: as before"
    exit 0
fi
exit 1
