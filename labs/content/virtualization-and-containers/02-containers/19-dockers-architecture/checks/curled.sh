. /.bulkhead/checks/course/docker.sh
need_daemon
if [ "$(record_of curled)" ] && grep -q '"StartedAt":"0001-01-01' "$(record_of curled)/config.v2.json"; then
    echo "not yet because curled has been created, and was never started: POST /containers/curled/start"
    exit 1
fi
need_running curled
echo "curled is $(name_of "$pid") (pid $pid)"
