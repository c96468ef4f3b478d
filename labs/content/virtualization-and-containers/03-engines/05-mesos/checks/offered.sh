. /.bulkhead/checks/lib.sh
need_framework hand
sent=$(metric_of hand offers/sent)
if [ "${sent%.*}" -ge 2 ]; then
    echo "the master has sent hand $sent offers"
    exit 0
fi
echo "not yet because hand is registered and has got $sent offers: does another framework hold them? framework stop NAME"
exit 1
