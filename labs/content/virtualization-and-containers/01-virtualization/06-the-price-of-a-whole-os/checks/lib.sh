# Virtual machines by their QEMU processes and monitors, as the kernel and QEMU show them. Sourced by the checks.
. /.bulkhead/checks/course/vm.sh

page() {
    wget -qO - "http://127.0.0.1:$1/" 2>/dev/null
}
