file=/root/calls
if [ ! -s $file ]; then
    echo "not yet because there is no trace in $file"
elif ! grep -q 'runc' $file; then
    echo "not yet because $file is a trace of something else than runc"
elif ! grep -q 'CLONE_NEWPID' $file; then
    echo "not yet because no namespace was asked for: did runc find the config.json, and was strace told to follow children (-f)?"
elif ! grep -q 'pivot_root.*= 0' $file; then
    echo "not yet because the trace has no pivot_root that went well"
elif ! grep -q 'execve("/bin/busybox"' $file; then
    echo "not yet because runc never became the application"
else
    echo "in the trace: namespaces, $(grep -c 'mount(' $file) mounts, a new root, and execve"
    exit 0
fi
exit 1
