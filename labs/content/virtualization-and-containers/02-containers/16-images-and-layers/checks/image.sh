. /.bulkhead/checks/lib.sh
follow
echo "sha256:$(echo "$manifest" | cut -c 1-12)... names a configuration and layers: $(echo "$layers" | wc -w), and all are what they are called"
