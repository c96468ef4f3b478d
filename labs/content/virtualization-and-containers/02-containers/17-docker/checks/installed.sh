. /.bulkhead/checks/lib.sh
state=$(state_of docker.io)
if [ "$state" = installed ] && [ "$(state_of containerd)" = installed ] && [ "$(state_of runc)" = installed ] && [ -x /usr/sbin/dockerd ]; then
    echo "dpkg has docker.io $(version_of docker.io), containerd $(version_of containerd) and runc $(version_of runc)"
    exit 0
fi
case $state in
    unpacked | half-configured)
        echo "not yet because docker.io is unpacked and not configured: packages that it depends on are missing, and apt-get --fix-broken install brings them";;
    installed)
        echo "not yet because docker.io is installed, and a part of it is gone: apt-get install --reinstall docker.io containerd runc";;
    config-files) echo "not yet because docker.io was removed again; only its settings are left";;
    *)
        if [ "$(state_of containerd)" = installed ]; then
            echo "not yet because containerd is installed and Docker is not: its package is called docker.io"
        elif ! ls /var/lib/apt/lists/*Packages* > /dev/null 2>&1; then
            echo "not yet because apt knows no package: apt-get update reads the archive's list"
        else
            echo "not yet because dpkg has no package docker.io, which apt knows by now"
        fi;;
esac
exit 1
