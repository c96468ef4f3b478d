. /.bulkhead/checks/lib.sh
if grep -q '"localhost/mine:latest"' $STORE/overlay-images/images.json; then
    echo "the store has the image localhost/mine:latest"
    exit 0
fi
if grep -q '"names":null' $STORE/overlay-images/images.json; then
    echo "not yet because an image was built, and has no name: --tag mine"
else
    echo "not yet because the store has no image called mine"
fi
exit 1
