. /.bulkhead/checks/lib.sh
file=/root/os-cost
number() {
    awk -v key="$1" '$1 == key { print $2 }' $file | grep -E '^[0-9]+$'
}
if [ ! -s $file ]; then
    need_running debian
    has_prompt debian || { echo "not yet because the Debian is still booting"; exit 1; }
    echo "not yet because $file does not exist or is empty"
    exit 1
fi
for key in packages processes services; do
    [ "$(number $key)" ] || { echo "not yet because $file has no line \"$key\" with a number"; exit 1; }
done
own=$(grep -c '^Status: install ok installed' /var/lib/dpkg/status)
if [ "$(number packages)" = "$own" ]; then
    echo "not yet because $own packages are the sandbox's own: count inside, with vm sh debian"
elif [ "$(number packages)" -lt 100 ]; then
    echo "not yet because $(number packages) packages are too few for this system"
elif [ "$(number processes)" -lt 25 ]; then
    echo "not yet because $(number processes) processes are too few: of the guest, and with its kernel's own threads"
elif [ "$(number services)" -lt 4 ]; then
    echo "not yet because $(number services) running services are too few: is the system still starting?"
else
    need_running debian
    echo "$(number packages) packages, $(number processes) processes, $(number services) services, before any work is done"
    exit 0
fi
exit 1
