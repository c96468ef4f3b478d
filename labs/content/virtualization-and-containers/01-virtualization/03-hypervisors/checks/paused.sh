. /.bulkhead/checks/course/vm.sh
need_running two
status=$(ask two query-status status)
case $status in
    paused) echo "QEMU says: paused. No processor of the guest runs"; exit 0 ;;
    running) echo "not yet because the machine two runs" ;;
    "") echo "not yet because QEMU does not answer: is another qmp command still open?" ;;
    *) echo "not yet because the machine two is in the state $status" ;;
esac
exit 1
