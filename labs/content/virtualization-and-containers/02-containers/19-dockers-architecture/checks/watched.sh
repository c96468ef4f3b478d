file=/root/request
if [ ! -s $file ]; then
    echo "not yet because there is no trace in $file"
elif ! grep -q 'HTTP/1.1' $file; then
    echo "not yet because no request is in the trace: the client has several threads, so strace needs -f"
elif ! grep -q 'POST /v[0-9.]*/containers/curled/restart' $file; then
    echo "not yet because the trace has another order: $(grep -o '"[A-Z]* /[^ ]* HTTP' $file | tail -n 1)"
else
    echo "caught: $(grep -o 'POST /[^ ]*' $file | head -n 1)"
    exit 0
fi
exit 1
