# Containers made of the bundles /root/app-1 and /root/app-2, as the host sees them. Sourced by the checks.
HOST_PIDS=$(readlink /proc/1/ns/pid)

name_of() {
    cat "/proc/$1/comm" 2>/dev/null
}

# The first process of the container whose root filesystem has the file $1: number 1 in a pid namespace of its own.
first_with() {
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        [ -e "$folder/root$1" ] && [ "$(readlink "$folder/ns/pid")" != "$HOST_PIDS" ] || continue
        [ "$(awk '$1 == "NSpid:" { print $NF }' "$folder/status")" = 1 ] && echo "$pid" && return
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
