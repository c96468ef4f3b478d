# Processes and network namespaces as the host sees them. Sourced by the checks. Only our own busybox is used.
. /.bulkhead/checks/course/process.sh

# Run a program of ours in the namespace called $1; "host" is this one.
in_net() {
    net=$1
    shift
    if [ "$net" = host ]; then $BUSYBOX "$@"; else $BUSYBOX nsenter "--net=/run/netns/$net" $BUSYBOX "$@"; fi
}

need_named() {
    in_net "$1" true 2>/dev/null && return
    echo "not yet because there is no network namespace called $1: ip netns add $1"
    exit 1
}

# The interface that has the address $2 in the namespace $1.
at() {
    in_net "$1" ip -o -f inet address show | awk -v a="$2/" 'index($4, a) == 1 { print $2; exit }'
}

# Says what is missing at one end of a cable: address, or being switched on.
need_end() {
    interface=$(at "$1" "$2")
    if [ -z "$interface" ]; then
        echo "not yet because no interface of $1 has the address $2"
        exit 1
    fi
    if ! in_net "$1" ip -o link show dev "$interface" | grep -q 'LOWER_UP'; then
        echo "not yet because $interface of $1 is off, or the other end of its cable is: ip link set ... up"
        exit 1
    fi
}

# Does somebody listen on TCP port 8080 (hex 1F90; state 0A is LISTEN, proc(5)) in the namespace $1?
listens() {
    in_net "$1" awk '$4 == "0A" && $2 ~ /:1F90$/ { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6
}
