. /.bulkhead/checks/lib.sh
for pid in $(processes_of web); do
    [ "$(ns_of "$pid" pid)" = "$(ns_of 1 pid)" ] || continue
    case $($BUSYBOX readlink "/proc/$pid/root") in
        $RKT/pods/run/*/stage1/rootfs/opt/stage2/web/rootfs)
            echo "process $pid has the app's folder as its root, and all the host's namespaces"
            exit 0 ;;
    esac
done
if ! ls -d $RKT/pods/run/*/stage1/rootfs/opt/stage2/web/rootfs > /dev/null 2>&1; then
    echo "not yet because no pod in $RKT/pods/run has an app web: .../stage1/rootfs/opt/stage2/web"
else
    echo "not yet because the pod's folder is there, and no process has the app's rootfs as its root directory"
fi
exit 1
