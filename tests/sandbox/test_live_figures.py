"""The lessons' live figures against sandboxes in which their labs' commands ran: every fact that a figure asks for is there."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jmespath
import pytest

from runtime_agent import xray
from tests.instance import wait_until

pytestmark = pytest.mark.sandbox
COURSE = Path(__file__).parents[2] / "labs/content/virtualization-and-containers"
QUIET = "exec > /dev/null 2>&1 < /dev/null\n"
SLEEPERS = """
unshare {kind} sleep 3000 & crew=$!
sleep 0.3; [ -z "{fork}" ] || crew=$(pgrep -P $crew)
nsenter --target $crew {join} sleep 3000 &
"""
BUNDLE = """
mkdir -p /root/app-{n}/rootfs/bin; cd /root/app-{n}; cp /bin/busybox rootfs/bin/; ln -s busybox rootfs/bin/sleep
runc spec; jq '.process.terminal = false | .process.args = ["/bin/sleep", "3000"]' config.json > new; mv new config.json
runc run --detach app-{n}
"""
CABLES = """
ip netns add red; ip netns add blue
ip link add red-out type veth peer name red-in netns red; ip address add 10.0.1.1/24 dev red-out; ip link set red-out up
ip -n red address add 10.0.1.2/24 dev red-in; ip -n red link set red-in up
ip link add harbour type bridge; ip address add 10.0.2.1/24 dev harbour
for name in red blue; do ip link add $name-sw type veth peer name eth0 netns $name; ip link set $name-sw master harbour up; done
ip -n red address add 10.0.2.2/24 dev eth0; ip -n blue address add 10.0.2.3/24 dev eth0
busybox httpd -p 8080 -h /srv; ip netns exec red busybox httpd -p 8080 -h /srv
"""
USERS = """
setpriv --reuid=student --regid=student --init-groups unshare --user --map-root-user sleep 3000 &
unshare --user sleep 3000 & crowd=$!
sleep 0.3; echo "0 10000 1000" > /proc/$crowd/uid_map; echo "0 10000 1000" > /proc/$crowd/gid_map
nsenter --target $crowd --user --setuid 33 --setgid 33 sleep 3000 &
"""
FULL = """
cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup
mkdir few; echo 10 > few/pids.max
sh -c 'echo $$ > few/cgroup.procs; for i in 1 2 3 4 5 6 7 8 9; do sleep 3000 & done; wait' &
until [ "$(cat few/pids.current)" = 10 ]; do sleep 0.1; done
sh -c 'echo $$ > few/cgroup.procs; sleep 3000 & wait'
"""
MEMORY = """
cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup
mkdir small; echo 64M > small/memory.max || echo 64M > small/memory.limit_in_bytes
for n in 1 2; do sh -c 'echo $$ > small/cgroup.procs; exec python3 -c "x = bytearray(8 << 20); import time; time.sleep(3000)"' & done
"""
QUOTA = """
cd /sys/fs/cgroup/cpu || cd /sys/fs/cgroup
mkdir slow; echo "20000 100000" > slow/cpu.max || echo 20000 > slow/cpu.cfs_quota_us
"""
DOCKER = "{install}engine-up docker; for name in curled tough; do docker run --detach --name $name web; done"
FIGURES = {
    "02-containers/02-from-kernel-to-container": ("base", BUNDLE.format(n=1) + BUNDLE.format(n=2)),
    "02-containers/04-namespaces-uts": ("base", SLEEPERS.format(kind="--uts", fork="", join="--uts")),
    "02-containers/05-namespaces-pid": ("base", SLEEPERS.format(
        kind="--pid --fork --mount-proc", fork="yes", join="--pid --mount") + "setsid bash -c 'sleep 3000; true' &"),
    "02-containers/07-namespaces-network": ("base", CABLES),
    "02-containers/09-namespaces-user": ("base", USERS),
    "02-containers/12-control-groups-memory": ("base", MEMORY),
    "02-containers/13-control-groups-cpu": ("base", QUOTA),
    "02-containers/14-control-groups-pids": ("base", FULL),
    "02-containers/17-docker": ("docker-to-install", DOCKER.format(install="apt-get update; apt-get install -y docker.io; ")),
    "02-containers/19-dockers-architecture": ("engines", DOCKER.format(install=""))}


def asked(lesson: str) -> set[str]:
    [figure] = (COURSE / lesson / "figures").glob("*.svg")
    return {element.get(name) for element in ElementTree.parse(figure).iter()  # noqa: S314  (it is our own)
            for name in ("data-fact", "data-fact-if", "data-fact-part") if element.get(name)}


@pytest.mark.parametrize("lesson", FIGURES)
def test_every_fact_of_the_figure_is_found(make, shell, lesson):
    image, script = FIGURES[lesson]
    box = make("nested", image=image, disk_bytes=2 << 30)
    questions = asked(lesson)
    assert len(questions) >= 2
    before = xray.collect(box)
    assert len([question for question in questions if not jmespath.search(question, before)]) >= 2, "it has something to show"
    shell(box, QUIET + script, timeout=90)

    missing: list[str] = []

    def is_answered() -> bool:
        found = xray.collect(box)
        missing[:] = [question for question in questions if not jmespath.search(question, found)]
        return not missing
    try:
        wait_until(is_answered, 20)
    except TimeoutError:
        pytest.fail(f"not found: {missing}")
