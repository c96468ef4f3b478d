# Pods and containers made over CRI, by the bundles in which containerd describes them to runc, and by what the kernel
# says about their processes. Sourced by the checks.
. /.bulkhead/checks/course/process.sh
TASKS=/run/containerd/io.containerd.runtime.v2.task/k8s.io

# The annotation $2 of the bundle in the folder $1 (io.kubernetes.cri.$2).
noted() {
    sed -n "s/.*\"io.kubernetes.cri.$2\":\"\([^\"]*\)\".*/\1/p" "$1/config.json" 2>/dev/null
}

# The first processes of living containers: of the pod sandbox if $1 is "sandbox", else of the containers called $1.
living() {
    for folder in $TASKS/*; do
        pid=$(cat "$folder/init.pid" 2>/dev/null)
        [ "$pid" ] && [ -d "/proc/$pid/root/" ] || continue
        if [ "$1" = sandbox ]; then
            [ "$(noted "$folder" container-type)" = sandbox ] && [ "$(noted "$folder" sandbox-name)" = web ] && echo "$pid"
        else
            [ "$(noted "$folder" container-name)" = "$1" ] && echo "$pid"
        fi
    done
}

need_sandbox() {
    pause=$(living sandbox | head -n 1)
    [ "$pause" ] && return
    if [ ! -S /run/containerd/containerd.sock ] || [ -z "$(pidof containerd)" ]; then
        echo "not yet because containerd is not running: engine-up containerd"
    else
        echo "not yet because no pod called web is ready: cri runp"
    fi
    exit 1
}

# Sets pid to a living container called $1 in the pod, or ends the check.
need_container() {
    for pid in $(living "$1"); do
        [ "$(ns_of "$pid" net)" = "$(ns_of "$pause" net)" ] && return
    done
    if /usr/local/bin/cri ps -a 2>/dev/null | grep -q " $1 .*Created"; then
        echo "not yet because the container $1 has been created, and was not started: cri start"
    elif /usr/local/bin/cri ps -a 2>/dev/null | grep -q " $1 .*Exited"; then
        echo "not yet because the container $1 has ended: a new one has to be made"
    else
        echo "not yet because the pod web has no running container called $1"
    fi
    exit 1
}
