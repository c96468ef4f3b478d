. /.bulkhead/checks/course/vm.sh
file=/root/guest.kernel
[ -s $file ] || { echo "not yet because $file does not exist or is empty"; exit 1; }
given=$(tr -d ' \n\r\t' < $file)
guest=$(cat /opt/vm/release)
case $given in
    "$guest") echo "the guest runs $guest, the host $(uname -r)"; exit 0 ;;
    "$(uname -r)") echo "not yet because $given is the host's kernel: the command must run inside, in the quotes of vm sh" ;;
    *) echo "not yet because the file must hold what uname -r prints in the guest, and nothing else" ;;
esac
exit 1
