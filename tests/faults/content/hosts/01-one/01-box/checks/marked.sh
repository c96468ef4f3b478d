[ -e /tmp/mark ] && echo "saw the mark" || { echo "not yet because there is no mark"; exit 1; }
