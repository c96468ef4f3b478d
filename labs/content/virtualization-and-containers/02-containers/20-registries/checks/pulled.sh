. /.bulkhead/checks/lib.sh
need_running page
image=$(made_of page)
reference=$(reference_of page)
if ! grep -q '"one:5000/team/web' /var/lib/docker/image/overlay2/repositories.json; then
    echo "not yet because two has no image of one:5000/team/web: pull it"
    exit 1
fi
case $reference in
    one:5000/team/web*) echo "page (pid $pid) runs from image $(echo "$image" | cut -c 1-12)...: the same as on one"; exit 0 ;;
esac
echo "not yet because page was made of the image $reference, which two had already, not of the one from the registry"
exit 1
