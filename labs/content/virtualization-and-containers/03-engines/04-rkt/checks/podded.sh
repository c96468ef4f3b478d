. /.bulkhead/checks/lib.sh
manifest=
for file in $RKT/pods/run/*/pod; do
    /usr/bin/jq -e '[.apps[].name] | contains(["web", "helper"])' "$file" > /dev/null 2>&1 && manifest=$file
done
if [ -z "$manifest" ]; then
    echo "not yet because no pod in $RKT/pods/run has a manifest, pod, that lists the apps web and helper"
    exit 1
fi
if ! complaint=$(/usr/bin/actool validate "$manifest" 2>&1); then
    echo "not yet because actool says: $(echo "$complaint" | $BUSYBOX tail -n 1)"
    exit 1
fi
web= helper=
for web in $(processes_of web); do
    [ "$(ns_of "$web" pid)" != "$(ns_of 1 pid)" ] || continue
    for helper in $(processes_of helper); do
        [ "$(ns_of "$web" pid)" = "$(ns_of "$helper" pid)" ] || continue
        if [ "$(ns_of "$web" net)" = "$(ns_of 1 net)" ]; then
            echo "not yet because the pod uses the host's network: --private-network"
            exit 1
        fi
        echo "web (pid $web) and helper (pid $helper) share $(ns_of "$web" pid) and $(ns_of "$web" net), each with a root of its own"
        exit 0
    done
done
if [ "$web$helper" ]; then
    echo "not yet because web and helper don't both run in one pid namespace of the pod's own: what does /root/pod.log say?"
else
    echo "not yet because neither web nor helper runs: what does /root/pod.log say?"
fi
exit 1
