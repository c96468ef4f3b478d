. /.bulkhead/checks/lib.sh
need_running service
restarts=$(/usr/bin/podman inspect --format '{{.RestartCount}}' service 2>/dev/null)
policy=$(/usr/bin/podman inspect --format '{{.HostConfig.RestartPolicy.Name}}' service 2>/dev/null)
if [ "${restarts:-0}" -gt 0 ]; then
    echo "service is $(name_of "$pid") (pid $pid) now, started again $restarts times, and by nobody's hand"
    exit 0
fi
if [ "$policy" != always ]; then
    echo "not yet because service has no policy to be started again: --restart always"
else
    echo "not yet because service (pid $pid) has not fallen yet: kill its process from the host"
fi
exit 1
