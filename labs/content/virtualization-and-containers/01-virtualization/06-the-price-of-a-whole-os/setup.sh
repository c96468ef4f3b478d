# A bundle for a container with the same web service as the guest, and the stopwatch.
mkdir -p /root/box/rootfs/bin /root/box/rootfs/www
cd /root/box
cp /bin/busybox rootfs/bin/busybox
for name in sh httpd ps; do
    ln -sf busybox "rootfs/bin/$name"
done
echo "Hello from a container" > rootfs/www/index.html
rm -f config.json
crun spec
jq '.process.terminal = false | .hostname = "box" | .linux.namespaces |= map(select(.type != "network"))
    | .process.args = ["/bin/httpd", "-f", "-p", "8081", "-h", "/www"]' config.json > made.json
mv made.json config.json
cat > /root/race <<'END'
#!/bin/bash
# race PORT COMMAND...: run the command, and say after how many milliseconds a page comes from the port.
port=$1; shift
start=$(date +%s%N)
"$@" > /dev/null || exit
until timeout 1 busybox wget -qO - "http://127.0.0.1:$port/" 2> /dev/null; do sleep 0.02; done
echo "$(( ($(date +%s%N) - start) / 1000000 )) ms to the first answer"
END
chmod 755 /root/race
