#!/bin/sh
set -eu
chown redis: /data
exec setpriv --reuid=redis --regid=redis --clear-groups -- "$@" --protected-mode no --daemonize no
