. /.bulkhead/checks/lib.sh
need_running other
runtime=$(setting_of other Runtime)
id=$(basename "$(record_of other)")
if [ "$runtime" = runc ]; then
    echo "not yet because other was started with runc: --runtime crun"
# crun keeps a file called status for each of its containers, runc one called state.json.
elif [ ! -e "/run/docker/runtime-runc/moby/$id/status" ] && [ ! -e "/run/docker/runtime-$runtime/moby/$id/status" ]; then
    echo "not yet because the runtime called $runtime is not crun: which program does /etc/docker/daemon.json name?"
else
    echo "other is $(name_of "$pid") (pid $pid), made by crun; page is still one of runc's"
    exit 0
fi
exit 1
