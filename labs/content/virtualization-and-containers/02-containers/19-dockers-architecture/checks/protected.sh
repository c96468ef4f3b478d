. /.bulkhead/checks/course/docker.sh
need_daemon
cd /root/certs || exit 1
ask() {
    /usr/bin/curl -s -m 3 --cacert ca.pem "$@" https://localhost:2376/version 2>/dev/null | grep -q ApiVersion
}
arguments=$(tr '\0' ' ' < "/proc/$(cat /run/docker.pid)/cmdline")
# Port 2376 is 0948 in hex; state 0A is LISTEN (proc(5)).
if ! awk '$4 == "0A" && $2 ~ /:0948$/ { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6; then
    echo "not yet because nobody listens at port 2376"
elif /usr/bin/curl -s -m 3 http://localhost:2376/version 2>/dev/null | grep -q ApiVersion; then
    echo "not yet because the daemon talks to everybody at port 2376, without TLS: end it at once"
elif ask; then
    echo "not yet because the daemon encrypts, and takes orders from clients without a certificate: --tlsverify is missing"
elif ! ask --cert client.pem --key client.key; then
    echo "not yet because the client's certificate is not accepted, or the daemon's is not trusted: see the daemon's options: $arguments"
elif ask --cert stranger.pem --key stranger.key; then
    echo "not yet because a stranger's certificate is accepted: --tlscacert has to be ca.pem"
else
    echo "port 2376 answers to client.pem, and neither to a stranger nor to nobody"
    exit 0
fi
exit 1
