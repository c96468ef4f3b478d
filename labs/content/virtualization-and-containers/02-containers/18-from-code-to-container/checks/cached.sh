. /.bulkhead/checks/lib.sh
need_image app:3
need_image app:4
if [ "$(image_of app:3)" = "$(image_of app:4)" ]; then
    echo "not yet because app:3 and app:4 are the same image: the code was not changed in between"
    exit 1
fi
same=0
for layer in $(layers_of app:3); do
    layers_of app:4 | grep -q "$layer" && same=$((same + 1))
done
if [ $same -ge 2 ]; then
    echo "app:3 and app:4 have $same layers in common; of dependencies there is one copy"
    exit 0
fi
echo "not yet because app:3 and app:4 have only $same layer in common, that of busybox: the dependencies were installed twice"
exit 1
