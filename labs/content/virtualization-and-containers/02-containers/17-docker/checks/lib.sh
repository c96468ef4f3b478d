# Docker's containers, by what the daemon has written down and what the kernel says about their processes.
# Sourced by the checks. No client is needed, and none is trusted.
. /.bulkhead/checks/course/docker.sh

# How far dpkg has got with the package $1: installed, unpacked, config-files, ...; nothing if it never heard of it.
state_of() {
    awk -v name="$1" '$1 == "Package:" { here = $2 == name } here && $1 == "Status:" { print $4; exit }' /var/lib/dpkg/status
}

version_of() {
    awk -v name="$1" '$1 == "Package:" { here = $2 == name } here && $1 == "Version:" { print $2; exit }' /var/lib/dpkg/status
}

# A setting of the container $1, by the name $2 in the daemon's record of it.
setting_of() {
    sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$(record_of "$1")/hostconfig.json" 2>/dev/null
}
