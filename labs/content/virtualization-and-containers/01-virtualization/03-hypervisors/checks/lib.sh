# The guests of the hypervisor on the computer metal, as its dom0 lists them. Sourced by the checks of that machine.
. /.bulkhead/checks/course/vm.sh

not_yet() {
    echo "not yet because $1"
    exit 1
}

# Sets domains to what `xl list` says in dom0, or ends the check.
need_dom0() {
    pid=$(qemu_of metal)
    if [ -z "$pid" ]; then
        [ -d /run/vm/metal ] && not_yet "the computer is off again: xen start"
        [ "$(qemu_of '[^,]*')" ] && not_yet "a machine runs here, but it is not the computer metal: vm stop it, then xen start"
        not_yet "the computer is off: xen start, in the terminal Bare metal"
    fi
    kernel=$(option_of "$pid" -kernel)
    [ "$kernel" = /opt/xen/xen ] || not_yet "the computer boots $kernel, which is no hypervisor: vm stop metal, then xen start"
    [ "$(ask metal query-status status)" = paused ] && not_yet "the computer's time stands still: qmp metal cont"
    grep -qF 'dom0# ' /run/vm/metal/console || not_yet "the computer is still booting: no prompt of dom0 on its console so far"
    domains=$(/usr/bin/python3 -I /usr/local/bin/xen domains 2>&1) && return
    not_yet "dom0 gives no list (${domains##*xen: }): is a command still running in it?"
}

# The line of a guest, by its name: number, MiB, processors, state, seconds of processor time.
domain() {
    echo "$domains" | awk -v name="$1" 'NR > 1 && $1 == name { print $2, $3, $4, $5, $6 }'
}
