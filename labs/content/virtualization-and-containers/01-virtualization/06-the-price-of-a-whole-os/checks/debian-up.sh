. /.bulkhead/checks/lib.sh
need_running debian
if ! option_of "$(qemu_of debian)" -drive | grep -q debian.qcow2; then
    echo "not yet because the machine debian has no disk debian.qcow2: start it with --disk and --boot-disk"
elif ! has_prompt debian; then
    echo "not yet because the Debian is still booting: vm log debian shows how far it is"
else
    echo "a whole Debian in process $(qemu_of debian), $(rss_mib "$(qemu_of debian)") MiB"
    exit 0
fi
exit 1
