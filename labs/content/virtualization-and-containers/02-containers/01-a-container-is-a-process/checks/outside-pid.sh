. /.bulkhead/checks/lib.sh
file=/root/outside.pid
pid=$(first_pid)
if [ -z "$pid" ]; then
    echo "not yet because the container is not running any more: start it again as in the first step"
    exit 1
fi
if [ ! -s "$file" ]; then
    echo "not yet because $file does not exist or is empty"
    exit 1
fi
given=$(tr -d ' \n\r\t' < "$file")
case $given in
    "$pid") echo "process $pid of the host is process 1 of the container"; exit 0 ;;
    *[!0-9]*) echo "not yet because $file holds something else than one number" ;;
    1) echo "not yet because 1 is its number inside the container; on the host 1 is $(name_of 1)" ;;
    *) if [ -d "/proc/$given" ]; then
           echo "not yet because process $given is $(name_of "$given"), and not the first process of the container"
       else
           echo "not yet because the host has no process $given: the container may have been started anew"
       fi ;;
esac
exit 1
