. /.bulkhead/checks/lib.sh
need_running page
echo "page is $(name_of "$pid") (pid $pid), child of $(name_of "$(parent_of "$pid")"); processes called podman: $(pidof podman | wc -w)"
