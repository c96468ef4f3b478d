trace=/root/opened
[ -s $trace ] || { echo "not yet because $trace does not exist or is empty"; exit 1; }
if ! grep -q 'execve(.*"httpd"' $trace; then
    echo "not yet because the traced program is not httpd"
elif ! grep -qE 'open(at)?\(.*index\.html.*= [0-9]' $trace; then
    echo "not yet because the service was not asked for its page while it was traced"
else
    echo "opened: $(grep -E 'open(at)?\(' $trace | grep -cE '= [0-9]+$') file to answer"
    exit 0
fi
exit 1
