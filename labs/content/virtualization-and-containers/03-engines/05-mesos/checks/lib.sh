# What the Mesos master says about itself, over its own HTTP API. Sourced by the checks.
MASTER=http://127.0.0.1:5050
JQ=/usr/bin/jq

ask() {
    /usr/bin/curl -s -m 3 "$MASTER$1" 2>/dev/null
}

# Sets state to the master's state, or ends the check.
need_master() {
    state=$(ask /state)
    [ "$state" ] && return
    if [ -z "$(pidof mesos-local)" ]; then
        echo "not yet because no Mesos runs here: mesos-master"
    else
        echo "not yet because no master answers at 127.0.0.1:5050: what does /root/master.log say at its end?"
    fi
    exit 1
}

# Ends the check unless both agents are active.
need_agents() {
    need_master
    for node in node-a node-b; do
        from_state ".slaves[] | select(.hostname == \"$node\" and .active)" > /dev/null && continue
        if from_state ".slaves[] | select(.hostname == \"$node\")" > /dev/null; then
            echo "not yet because the master has lost $node: its process is gone, or does not answer"
        else
            echo "not yet because the master knows no agent $node: does one run, with --hostname=$node and --master=127.0.0.1:5050?"
        fi
        exit 1
    done
}

from_state() {
    echo "$state" | $JQ -er "$1" 2>/dev/null
}

# One metric of the framework called $1, for all its registrations together: metric_of hand offers/declined
metric_of() {
    ask /metrics/snapshot | $JQ "[to_entries[] | select(.key | test(\"^master/frameworks/$1/.*/$2\$\")) | .value] | add // 0"
}

# Ends the check unless the framework $1 is registered; sets framework to what the master knows of it.
need_framework() {
    need_agents
    framework=$(from_state ".frameworks[] | select(.name == \"$1\" and .active)") && return
    echo "not yet because no framework called $1 is registered: framework start $1"
    exit 1
}

# The framework's open offers of the agent called $1: how many.
offers_of() {
    agent=$(from_state ".slaves[] | select(.hostname == \"$1\" and .active) | .id")
    echo "$framework" | $JQ "[.offers[] | select(.slave_id == \"$agent\")] | length"
}
