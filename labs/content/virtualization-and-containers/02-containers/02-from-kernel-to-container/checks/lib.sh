# Containers made of the bundles /root/app-1 and /root/app-2, as the host sees them. Sourced by the checks.
. /.bulkhead/checks/course/process.sh

# The first process of the container whose root filesystem has the file $1: number 1 in a pid namespace of its own.
first_with() {
    for pid in $(elsewhere pid); do
        [ -e "/proc/$pid/root$1" ] && [ "$(inside_pid "$pid")" = 1 ] && echo "$pid" && return
    done
}

# Says what is wrong with a bundle, and ends the check. $1 is its name, $2 the program in it.
complain_of_bundle() {
    bundle=/root/$1
    if [ ! -e "$bundle/rootfs$2" ]; then
        echo "not yet because $bundle/rootfs$2 does not exist"
    elif [ ! -e "$bundle/config.json" ]; then
        echo "not yet because $bundle has no config.json: runc spec writes one"
    elif ! grep -q "\"$2\"" "$bundle/config.json"; then
        echo "not yet because $bundle/config.json does not name $2 as the process to run"
    elif grep -q '"terminal": true' "$bundle/config.json"; then
        echo "not yet because $bundle/config.json wants a terminal, and in the background there is none"
    else
        return
    fi
    exit 1
}
