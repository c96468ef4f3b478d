"""Apache Mesos for real in a nested sandbox: a master, two agents, offers, and tasks that are isolated and limited."""

from __future__ import annotations

import re

import pytest

from runtime_agent import cgroup

CLUSTER = """
cd /root
mesos-master --ip=127.0.0.1 --hostname=master --work_dir=/var/lib/mesos/master 2> master.log &
until curl -sf 127.0.0.1:5050/health; do sleep 0.1; done
for node in a:2 b:3; do
    mesos-agent --master=127.0.0.1:5050 --ip=127.0.0.${node#*:} --hostname=node-${node%:*} \
        --work_dir=/var/lib/mesos/${node%:*} --resources='cpus:2;mem:256;disk:100;ports:[31000-31009]' 2> node-${node%:*}.log &
done
until [ "$(curl -s 127.0.0.1:5050/slaves | jq '[.slaves[] | select(.active)] | length')" = 2 ]; do sleep 0.1; done
"""
OVER = "until framework tasks me | grep -qE '^{task} +TASK_(FINISHED|FAILED)'; do sleep 0.1; done; framework tasks me"
HUNGRY = "x=$(head -c 200000000 /dev/zero | tr \\\\0 x); echo survived"


@pytest.fixture
def cluster(make, shell):
    """``cluster(script)`` runs it beside a master and two agents and returns what it printed."""
    box = make("nested", image="mesos", memory_bytes=512 << 20, cpus=2.0)

    def run(script: str) -> str:
        result = shell(box, f"{CLUSTER}\n{script}", timeout=60)
        assert result.status == 0, result.output[-2000:]
        return result.output
    return run


def test_an_offer_is_accepted_and_its_task_finishes(cluster):
    output = cluster("framework start me; framework offers me; framework accept me node-a 1 64 'echo $LIBPROCESS_IP' > /dev/null\n"
                     + OVER.format(task="me-0") + "\ncat $(find /var/lib/mesos/a -path '*/runs/*/stdout')")
    assert re.search(r"^node-a +cpus 2 +mem 256 ", output, re.MULTILINE), output
    assert re.search(r"^me-0 +TASK_FINISHED +Command exited with status 0", output, re.MULTILINE), output
    assert output.endswith("127.0.0.2\n"), output


def test_a_declined_offer_goes_to_another_framework(cluster):
    output = cluster("framework start me; framework offers me; framework decline me node-b 600 > /dev/null; framework offers me\n"
                     "timeout 30 framework run red 4 1 64 'sleep 0.2'")
    assert len(re.findall(r"^node-b ", output, re.MULTILINE)) == 1, output  # offered once, never again
    assert "red: offer of node-b: accepted for 2" in output
    assert "of node-a" not in output  # which is still held by the first framework
    assert output.count("TASK_FINISHED") == 4


def test_a_task_is_isolated_and_limited_as_far_as_mesos_knows_the_hosts_groups(cluster):
    """Mesos 1.11 knows cgroup v1 only: there a pid namespace and a limit that kills; on v2 a plain process."""
    output = cluster("framework start me; framework offers me; framework accept me node-a 1 64 'ls -d /proc/[0-9]* | wc -l' > /dev/null\n"
                     + OVER.format(task="me-0") + "\ncat $(find /var/lib/mesos/a -path '*/runs/*/stdout')\n"
                     f"framework offers me; framework accept me node-b 1 64 '{HUNGRY}' > /dev/null\n" + OVER.format(task="me-1"))
    if cgroup.version() == 2:
        assert re.search(r"^me-1 +TASK_FINISHED", output, re.MULTILINE), output
        return
    processes = int(re.search(r"^(\d+)$", output, re.MULTILINE)[1])
    assert 3 <= processes <= 8, output
    assert "REASON_CONTAINER_LIMITATION_MEMORY Memory limit exceeded: Requested: 96MB" in output, output


def test_what_is_wrong_is_named(make, shell):
    output = shell(make("standard", image="mesos"), "mesos-agent --colour=red; mesos-master; framework start me; framework offers me").output
    assert "mesos-agent: there is no option '--colour=red'; options: --ip " in output
    assert "mesos-master: --ip is missing" in output
    assert "framework: no master answers at 127.0.0.1:5050" in output
    assert "framework: me is not registered: framework start me" in output
