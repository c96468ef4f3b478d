# Runs as student, who owns the namespaces in question and so may look into them.
. /.bulkhead/checks/lib.sh
if [ "$(hostname)" != host ]; then
    echo "not yet because the host itself is called $(hostname) now: set it back with: hostname host"
    exit 1
fi
for pid in $(students); do
    plain=$pid
    is_own "$pid" uts && is_own "$pid" mnt || continue
    both=$pid
    inner=$(/usr/bin/nsenter --target "$pid" --user --preserve-credentials --uts /usr/bin/hostname 2>&1)
    is_mounted=$(awk '$5 == "/mnt" && / - tmpfs / { print "yes" }' "/proc/$pid/mountinfo")
    if [ "$inner" = pirate ] && [ "$is_mounted" ]; then
        echo "$(name_of "$pid") (pid $pid), outside user $(uid_of "$pid"), is on $inner and has a mount of its own"
        exit 0
    fi
done
if [ "$both" ] && [ "$inner" != pirate ]; then
    echo "not yet because the host name of $(name_of "$both") (pid $both) is $inner"
elif [ "$both" ]; then
    echo "not yet because no tmpfs is mounted on the /mnt of $(name_of "$both") (pid $both)"
elif [ "$plain" ]; then
    missing=$(is_own "$plain" uts || printf ' --uts'; is_own "$plain" mnt || printf ' --mount')
    echo "not yet because $(name_of "$plain") (pid $plain) is root inside, and has nothing to rule: it was started without$missing"
else
    echo "not yet because no living process is root inside and student outside"
fi
exit 1
