# The group slow of the io controller, on cgroup version 1 or 2 under one vocabulary. Sourced by the checks.
. /.bulkhead/checks/course/cgroup.sh
MIB=1048576
DEVICE=$(awk '$5 == "/disk" { device = $3 } END { print device }' /proc/self/mountinfo)
GROUP=$(groups_of blkio)/slow

# The limit $1 (wbps, rbps, wiops) of the disk, or "none".
limit_of() {
    if [ -e "$GROUP/io.max" ]; then
        found=$(awk -v device="$DEVICE" '$1 == device' "$GROUP/io.max" | tr ' ' '\n' | sed -n "s/^$1=//p")
        [ "$found" = max ] && found=
    else
        case $1 in wbps) file=write_bps ;; rbps) file=read_bps ;; wiops) file=write_iops ;; esac
        found=$(awk -v device="$DEVICE" '$1 == device { print $2 }' "$GROUP/blkio.throttle.${file}_device")
    fi
    echo "${found:-none}"
}

# What is on the bill: $1 is wbytes, rbytes or wios.
bill_of() {
    if [ -e "$GROUP/io.stat" ]; then
        found=$(awk -v device="$DEVICE" '$1 == device' "$GROUP/io.stat" | tr ' ' '\n' | sed -n "s/^$1=//p")
    else
        case $1 in
            wbytes) found=$(of_v1 io_service_bytes Write) ;;
            rbytes) found=$(of_v1 io_service_bytes Read) ;;
            wios) found=$(of_v1 io_serviced Write) ;;
        esac
    fi
    echo "${found:-0}"
}

of_v1() {
    awk -v device="$DEVICE" -v what="$2" '$1 == device && $2 == what { print $3 }' "$GROUP/blkio.throttle.$1"
}

# Says so if another device than the disk has been limited, and ends the check.
complain_of_device() {
    other=$(cat "$GROUP"/io.max "$GROUP"/blkio.throttle.*_device 2>/dev/null | awk -v device="$DEVICE" '$1 != device { print $1; exit }')
    [ -z "$other" ] && return
    echo "not yet because the limit is for device $other, and the disk is $DEVICE"
    exit 1
}
