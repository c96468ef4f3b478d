. /.bulkhead/checks/course/vm.sh
if [ ! "$(qemu_of two)" ]; then
    echo "not yet because nobody waits: vm start two --incoming"
    exit 1
fi
source=$(ask one query-status status)
target=$(ask two query-status status)
if [ "$target" = inmigrate ]; then
    echo "not yet because two still waits for a machine to move in"
elif [ "$source" != postmigrate ]; then
    echo "not yet because one is in the state ${source:-off}: it has not moved. qmp one query-migrate says how far it is"
elif [ "$target" != running ]; then
    echo "not yet because two is in the state ${target:-no answer}"
else
    echo "moved $(($(ask one query-migrate ram.transferred) >> 20)) MiB in $(ask one query-migrate total-time) ms; stood still for $(ask one query-migrate downtime) ms"
    exit 0
fi
exit 1
