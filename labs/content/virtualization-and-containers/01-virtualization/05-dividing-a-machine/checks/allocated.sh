. /.bulkhead/checks/course/vm.sh
need_running one
pid=$(qemu_of one)
if [ "$(option_of "$pid" -m)" != 128M ]; then
    echo "not yet because the machine one was promised $(option_of "$pid" -m), not 128M"
elif ! option_of "$pid" -smp | grep -q 'maxcpus=2'; then
    echo "not yet because the machine one has no empty socket: vm stop one, then start it with --max-cpus 2"
elif ! has_prompt one; then
    echo "not yet because the machine is still booting"
else
    echo "promised: 128 MiB. Held on the host: $(rss_mib "$pid") MiB, QEMU itself included"
    exit 0
fi
exit 1
