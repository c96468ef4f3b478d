for number in 1 2 3; do
    file=/root/web-$number.qcow2
    if [ ! -f $file ]; then
        echo "not yet because $file does not exist"
    elif [ "$(head -c 3 $file)" != QFI ]; then
        echo "not yet because $file is not in the format qcow2: -f qcow2"
    elif ! head -c 4096 $file | tr -d '\000' | grep -qF /opt/vm/debian.qcow2; then
        echo "not yet because $file does not name /opt/vm/debian.qcow2 as its backing file: a copy, or an empty disk?"
    else
        continue
    fi
    exit 1
done
echo "three disks of 700 MiB each: $(du -ck /root/web-[123].qcow2 | tail -n 1 | cut -f 1) KiB on the host"
