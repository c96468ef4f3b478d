. /.bulkhead/checks/lib.sh
need_created
echo "$BOX has a config with $(grep -c '^lxc\.' $BOX/config) settings, and a root filesystem"
