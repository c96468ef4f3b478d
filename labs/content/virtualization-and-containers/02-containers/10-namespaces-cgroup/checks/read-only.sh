. /.bulkhead/checks/lib.sh
for pid in $(crew); do
    tree=$(tree_of "$pid")
    case $tree in
        "/ship ro") echo "the tree on /mnt of $(name_of "$pid") (pid $pid) begins at /ship and is read-only"; exit 0 ;;
        "/ship rw") reason="$(name_of "$pid") (pid $pid) may write to the tree on its /mnt" ;;
    esac
done
echo "not yet because ${reason:-no living process sees a tree with ship for its top on /mnt}"
exit 1
