. /.bulkhead/checks/lib.sh
need_dom0
read -r number mib cpus state seconds <<END
$(domain Domain-0)
END
[ "$number" = 0 ] || not_yet "dom0 does not say that it is one: what does xen sh xl list say?"
echo "Domain-0, a guest of Xen with $mib MiB and $cpus processor, has computed for $seconds s"
