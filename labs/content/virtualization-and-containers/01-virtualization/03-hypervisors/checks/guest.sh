. /.bulkhead/checks/lib.sh
need_dom0
read -r number mib cpus state seconds <<END
$(domain guest)
END
if [ -z "$number" ]; then
    others=$(echo "$domains" | awk 'NR > 1 && $1 != "Domain-0" { printf "%s ", $1 }')
    not_yet "Xen has no guest called guest${others:+, but ${others% }}: xl create guest.cfg, in dom0"
fi
case $state in
    *p*) not_yet "the guest's time stands still: xl unpause guest, in dom0" ;;
    *c*) not_yet "the guest has crashed: xl destroy guest, then xl create guest.cfg, in dom0" ;;
    *[sd]*) not_yet "the guest has shut down: xl destroy guest if it stays, then xl create guest.cfg, in dom0" ;;
esac
[ "$seconds" != 0.0 ] || not_yet "the guest has not computed yet: its kernel is being loaded"
echo "guest, number $number with $mib MiB, has computed for $seconds s beside Domain-0"
