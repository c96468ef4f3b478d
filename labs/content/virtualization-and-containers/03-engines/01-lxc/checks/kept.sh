. /.bulkhead/checks/lib.sh
need_running
for folder in /proc/[0-9]*; do
    [ "$(readlink "$folder/ns/pid")" = "$(readlink "/proc/$pid/ns/pid")" ] && grep -q '^httpd' "$folder/cmdline" 2>/dev/null && server=${folder#/proc/}
done
if ! grep -q '^lxc\.net\.0\.ipv4\.address *= *10\.0\.3\.10/24' $BOX/config; then
    echo "not yet because $BOX/config does not give it the address"
elif ! grep -q httpd $BOX/rootfs/etc/init.d/rcS; then
    echo "not yet because its start script, /etc/init.d/rcS, starts no web server"
elif grep -q udhcpc $BOX/rootfs/etc/init.d/rcS; then
    echo "not yet because its start script still runs udhcpc, which takes the address away"
elif [ -z "$server" ] || [ -z "$(page)" ]; then
    echo "not yet because all is written down, and there is no page: has box been started since?"
# A server started by hand is younger than its init by more than a second: by then the boot is over.
elif [ $(($(started "$server") - $(started "$pid"))) -gt 150 ]; then
    echo "not yet because this web server was started by hand: stop box and start it again"
else
    echo "box came up by itself, and says: $(page | head -c 60)"
    exit 0
fi
exit 1
