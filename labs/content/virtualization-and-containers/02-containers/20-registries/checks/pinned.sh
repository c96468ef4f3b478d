. /.bulkhead/checks/lib.sh
need_running pinned
reference=$(reference_of pinned)
pinned=$(made_of pinned)
page=$(made_of page)
case $reference in
    *@sha256:*) ;;
    *) echo "not yet because pinned was made of $reference: a tag, which may point elsewhere tomorrow"; exit 1 ;;
esac
if [ "$page" ] && [ "$pinned" != "$page" ]; then
    echo "not yet because pinned is made of another image than page, the first one"
    exit 1
fi
echo "pinned (pid $pid) is made of $(echo "$reference" | sed 's/\(@sha256:.\{12\}\).*/\1/')..., whatever the tags say"
