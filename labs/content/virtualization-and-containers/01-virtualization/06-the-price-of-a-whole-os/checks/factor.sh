. /.bulkhead/checks/lib.sh
need_running one
box=$(container_with www/index.html)
[ "$box" ] || { echo "not yet because the container does not run any more"; exit 1; }
[ -s /root/factor ] || { echo "not yet because /root/factor does not exist or is empty"; exit 1; }
given=$(head -n 1 /root/factor | tr -cd '0-9.')
vm_kib=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$(qemu_of one)/status")
box_kib=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$box/status")
awk -v given="${given:-0}" -v vm="$vm_kib" -v box="$box_kib" 'BEGIN {
    exact = vm / box
    if (given >= 0.7 * exact && given <= 1.4 * exact) { printf "%d MiB against %.1f MiB: the machine weighs %d containers\n", vm / 1024, box / 1024, exact; exit 0 }
    if (given * 1024 >= 0.7 * exact && given * 1024 <= 1.4 * exact) print "not yet because " given " divides MiB by KiB: bring both to the same unit"
    else if (given > 0 && 1 / given >= 0.7 * exact) print "not yet because " given " is the other way round: machine divided by container"
    else printf "not yet because the machine holds %d KiB and the container %d: %s is not what comes out\n", vm, box, given
    exit 1
}'
