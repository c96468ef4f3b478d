. /.bulkhead/checks/lib.sh
need_agents
echo "$(from_state '[.slaves[] | select(.active) | "\(.hostname) with \(.resources.cpus) CPUs and \(.resources.mem) MiB"] | join(", ")')"
