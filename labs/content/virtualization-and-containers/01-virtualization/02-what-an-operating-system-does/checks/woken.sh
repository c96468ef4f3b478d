if [ ! -s /root/arrived ]; then
    echo "not yet because nothing has arrived in /root/arrived: write a line into /root/door"
    exit 1
fi
sh /.bulkhead/checks/waits.sh > /dev/null || { echo "not yet because the line arrived, and no cat waits for the next one"; exit 1; }
echo "arrived: $(head -n 1 /root/arrived | cut -c 1-40); cat sleeps again"
