. /.bulkhead/checks/lib.sh
for number in 1 2 3 4; do
    name=m$number
    page=$(wget -qO - "http://127.0.0.1:800$number/" 2>/dev/null)
    if [ -z "$(service_of $name)" ] && [ "$page" ]; then
        echo "not yet because a web service answers on port 800$number, but it is no machine: it has the server's process numbers. Let crun start it"
    elif [ -z "$(service_of $name)" ]; then
        echo "not yet because machine $name does not run: start it in /srv/$name"
    elif [ "$page" != "Here is machine $name" ]; then
        echo "not yet because $name runs and does not answer on port 800$number"
    else
        continue
    fi
    exit 1
done
echo "m1 to m4 answer: processes $(for name in m1 m2 m3 m4; do service_of $name; done | tr '\n' ' ')of one server"
