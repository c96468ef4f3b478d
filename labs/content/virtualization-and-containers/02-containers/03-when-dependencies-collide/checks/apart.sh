. /.bulkhead/checks/lib.sh
host=$(root_of 1)
for pid in $(programs); do
    is_contained "$pid" && continue
    if [ "$(root_of "$pid")" = "$host" ]; then
        outside=$pid
        continue
    fi
    case $(version_of "$pid") in 2*) two=$pid ;; 3*) three=$pid ;; esac
done
if [ "$two" ] && [ "$three" ]; then
    echo "python $(version_of "$two") (pid $two) and python $(version_of "$three") (pid $three), each in a root filesystem of its own"
    exit 0
fi
if [ "$outside" ]; then
    echo "not yet because python (pid $outside) runs in the host's root filesystem"
elif [ "$two$three" ]; then
    echo "not yet because only the program for Python $(version_of "$two$three") is running (pid $two$three)"
else
    echo "not yet because neither program is running in a root filesystem of its own"
fi
exit 1
