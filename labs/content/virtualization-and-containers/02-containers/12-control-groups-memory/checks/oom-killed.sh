. /.bulkhead/checks/lib.sh
need_group
if [ "$(killed)" -gt 0 ] 2>/dev/null; then
    echo "killed in the group small by its limit: $(killed)"
    exit 0
fi
if [ "$(limit_mib)" = none ] || [ "$(limit_mib)" -gt 48 ]; then
    echo "not yet because the limit is $(limit_mib) now: set it to 32M again"
else
    echo "not yet because the kernel has killed nothing in the group: whatever asked for much was outside it, or asked for less than $(limit_mib) MiB"
fi
exit 1
