"""What the smaller images are for: two Pythons side by side, the Container Runtime Interface spoken for real, gVisor."""

from __future__ import annotations

import re

from runtime_agent import spawn
from tests.instance import PATIENCE

POD = """
engine-up containerd
pod=$(cri runp /opt/cri/pod.json)
container=$(cri create $pod /opt/cri/container.json /opt/cri/pod.json)
cri start $container
cri exec $container busybox hostname
address=$(cri inspectp $pod | jq -r .status.network.ip)
until curl -sf http://$address/; do sleep 0.2; done
cri ps; cri pods; cri images; cri logs $container
cri stop $container; cri rm $container; cri stopp $pod; cri rmp $pod
cri pods | wc -l
"""


def bash(agent, box, script: str) -> str:
    result = spawn.run(agent, box, ["/bin/bash", "-ec", script], "root", 60 * PATIENCE)
    assert result.status == 0, result.output[-1500:]
    return result.output


def test_two_pythons_disagree_on_one_system(make, agent):
    box = make("nested", image="python2and3")
    assert bash(agent, box, "python2 -c 'print 7 / 2'; python3 -c 'print(7 / 2)'") == "3\n3.5\n"
    assert "SyntaxError" in bash(agent, box, "python3 -c 'print 7 / 2' 2>&1 || true")


def test_each_python_is_alone_in_its_own_root(make, agent):
    box = make("standard", image="python2and3")
    script = "for n in 2 3; do chroot /opt/images/python$n python -c 'import sys, ssl; sys.stdout.write(sys.version[:3] + \"\\n\")'; done"
    assert bash(agent, box, script) == "2.7\n3.1\n"


def test_each_python_runs_as_an_image(make, agent):
    box = make("nested", image="python2and3")
    script = ("for n in 2 3; do podman load -q -i /opt/images/python$n.tar; done; "
              "podman run --rm python:2.7 python -c 'print 7 / 2'; podman run --rm python:3 python -c 'print(7 / 2)'")
    assert bash(agent, box, script).endswith("3\n3.5\n")


def test_a_pod_is_made_used_and_removed_through_the_interface(make, agent):
    output = bash(agent, make("nested", image="cri", cpus=2.0), POD)
    assert re.search(r"^web\n<h1>It works</h1>$", output, re.MULTILINE), output
    assert re.search(r"server +\S*web:latest +Running", output), output
    assert re.search(r"web +default +Ready", output), output
    assert re.search(r"response:200", output), output
    assert output.endswith("\n1\n"), output


def test_the_client_says_what_it_does_not_know(make, agent):
    box = make("nested", image="cri")
    assert "UNAVAILABLE" in bash(agent, box, "cri pods 2>&1 || true")
    assert "takes other arguments" in bash(agent, box, "cri runp 2>&1 || true")
    assert len(bash(agent, box, "cri call 2>&1 || true").split()) >= 30


def test_gvisor_starts_an_ordinary_bundle_with_a_kernel_of_its_own(make, agent):
    script = """mkdir /root/bundle; cd /root/bundle; runc spec
        jq '.process.terminal = false | .root.path = "/opt/images/rootfs" | .process.args = ["uname", "-r"]' config.json > new
        mv new config.json; runsc --network=none run own < /dev/null; crun run shared < /dev/null; uname -r"""
    own, shared, host = bash(agent, make("nested", image="runtimes"), script).split()
    assert shared == host
    assert own != host


def test_docker_is_installed_from_the_archive_in_the_image(make, agent):
    box = make("nested", image="docker-to-install", disk_bytes=2 << 30)
    assert "dockerd is not installed yet" in bash(agent, box, "engine-up docker 2>&1 || true; ! type docker containerd runc")
    script = "dpkg -i /opt/archive/docker.io.deb 2>&1 || true; apt-get update > /dev/null; apt-get --fix-broken install -y; "
    output = bash(agent, box, script + "engine-up docker; docker run --rm hello; docker info --format '{{.DefaultRuntime}}'")
    assert "leaving unconfigured" in output
    assert re.search(r"NEW packages will be installed:\s+containerd runc tini$", output, re.MULTILINE), output
    assert output.endswith("\nrunc\n"), output
