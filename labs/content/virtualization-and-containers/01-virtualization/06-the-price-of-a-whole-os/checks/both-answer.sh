. /.bulkhead/checks/lib.sh
[ "$(page 8081)" = "Hello from a container" ] || { echo "not yet because no container answers on port 8081"; exit 1; }
[ "$(container_with www/index.html)" ] || { echo "not yet because what answers on port 8081 is no container"; exit 1; }
need_running one
has_prompt one || { echo "not yet because the machine one is still booting"; exit 1; }
[ "$(page 8080)" = "Hello from a virtual machine" ] || { echo "not yet because the machine runs, and nothing answers on port 8080: was it started with --service, --address and --network?"; exit 1; }
echo "both answer: a process of its own kernel on 8080, a process of the host's on 8081"
