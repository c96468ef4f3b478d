"""The lessons' live figures against sandboxes in which their labs' commands ran: every fact that a figure asks for is there."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labs.course import loader
from runtime_agent import questions, xray
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
LOOP = """
dd if=/dev/urandom of=/root/data bs=1M count=8 conv=fsync; dd if=/root/data of=/dev/null bs=1M iflag=direct
sh -c 'while :; do :; done' &
"""
PYTHONS = """
cp /srv/report/main.py /opt/images/python2/main.py; cp /srv/invoice/main.py /opt/images/python3/main.py
for n in 2 3; do chroot /opt/images/python$n python -u /main.py & done
"""
TABLE = """
unshare --mount sleep 3000 & crew=$!
sleep 0.3; nsenter --target $crew --mount sh -c 'mount -t tmpfs none /mnt; echo a > /mnt/a; echo b > /root/b'
"""
SHM = "unshare --ipc --mount sh -c 'mount -t tmpfs none /dev/shm && exec sleep 3000' &"
SHIP = """
cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup
mkdir ship; echo 64M > ship/memory.max || echo 64M > ship/memory.limit_in_bytes
for n in 1 2; do sh -c 'echo $$ > ship/cgroup.procs; exec unshare --cgroup sleep 3000' & done
"""
CLOCK = "unshare --user --map-root-user --time --boottime 864000 --fork sleep 3000 &"
DISK = """
device=$(mountpoint -d /disk); cd /sys/fs/cgroup/blkio || cd /sys/fs/cgroup; mkdir slow
echo "$device wbps=65536" > slow/io.max || echo "$device 65536" > slow/blkio.throttle.write_bps_device
sh -c 'echo $$ > slow/cgroup.procs; exec dd if=/dev/zero of=/disk/a bs=64k count=9999 oflag=direct' &
"""
STACK = "mkdir -p /srv/layers/1 /srv/layers/2 /srv/root; mount -t overlay overlay -o lowerdir=/srv/layers/2:/srv/layers/1 /srv/root"
BUILD = """
engine-up docker; mkdir /root/app; cd /root/app; echo "version 1" > index.html
printf 'FROM web\nCOPY . /www/\n' > Dockerfile; docker build --tag app:1 .; docker run --detach --name app app:1
"""
LAN = "ip link add lan type veth peer name lan-peer; ip address add 10.20.0.{n}/24 dev lan; engine-up docker {more};"
LXC = """
engine-up lxc; lxc-create --name box --template busybox; lxc-start --name box; lxc-wait --name box --state RUNNING --timeout 20
lxc-cgroup --name box memory.limit_in_bytes 64M || lxc-cgroup --name box memory.max 64M
lxc-attach --name box -- sh -c 'mkdir -p /www; httpd -p 80 -h /www'
"""
POD = """
engine-up containerd; pod=$(cri runp /opt/cri/pod.json)
echo '{"metadata": {"name": "helper"}, "image": {"image": "docker.io/library/busybox:latest"}, "command": ["sleep", "3000"], "linux": {}}' > /root/helper.json
for file in /opt/cri/container.json /root/helper.json; do cri start $(cri create $pod $file /opt/cri/pod.json); done
"""
PODMAN = """
podman run --detach --name page web; podman pod create --name duo
podman run --detach --pod duo web; podman run --detach --pod duo busybox sleep 3000
"""
MESOS = """
mesos-master --ip=127.0.0.1 --hostname=master --work_dir=/var/lib/mesos/master &
until curl -sf 127.0.0.1:5050/health; do sleep 0.1; done
for node in a/2 b/3; do
    mesos-agent --master=127.0.0.1:5050 --ip=127.0.0.${node#*/} --hostname=node-${node%/*} --work_dir=/var/lib/mesos/${node%/*} \\
        --resources='cpus:2;mem:256' &
done
until [ "$(curl -s 127.0.0.1:5050/slaves | jq '[.slaves[] | select(.active)] | length')" = 2 ]; do sleep 0.1; done
for name in red blue; do framework run $name 2 1 64 'sleep 3000' & done
"""
FIVE = """
cd /root; for runtime in crun runc "runsc --network=none"; do $runtime run --detach --bundle /root/five five-${runtime%% *}; done
"""


def solution(lesson: str, machine: str, *without: str) -> str:
    """What the lab's solutions type on the machine, in order, without these words."""
    found, _ = loader.load_lesson(COURSE / lesson, "course", None)
    text = "\n".join(block["code"] for step in found.lab["solutions"] for block in step["blocks"] if block["machine"] == machine)
    for words in without:
        assert words in text
        text = text.replace(words, "")
    return text


CHAIN, LADDER = "02-containers/16-images-and-layers", "02-containers/21-a-container-by-hand"
FIGURES = {
    "01-virtualization/02-what-an-operating-system-does depth": ("base", LOOP),
    "02-containers/02-from-kernel-to-container": ("base", BUNDLE.format(n=1) + BUNDLE.format(n=2)),
    "02-containers/03-when-dependencies-collide": ("python2and3", PYTHONS),
    "02-containers/04-namespaces-uts": ("base", SLEEPERS.format(kind="--uts", fork="", join="--uts")),
    "02-containers/05-namespaces-pid": ("base", SLEEPERS.format(
        kind="--pid --fork --mount-proc", fork="yes", join="--pid --mount") + "setsid bash -c 'sleep 3000; true' &"),
    "02-containers/06-namespaces-mount": ("base", TABLE),
    "02-containers/07-namespaces-network": ("base", CABLES),
    "02-containers/08-namespaces-ipc": ("base", SHM),
    "02-containers/09-namespaces-user": ("base", USERS),
    "02-containers/10-namespaces-cgroup": ("base", SHIP),
    "02-containers/11-namespaces-time": ("base", CLOCK),
    "02-containers/12-control-groups-memory": ("base", MEMORY),
    "02-containers/13-control-groups-cpu": ("base", QUOTA),
    "02-containers/14-control-groups-pids": ("base", FULL),
    "02-containers/15-control-groups-io": ("base", DISK),
    f"{CHAIN} one": ("base", solution(CHAIN, "one", "pkill -f 'httpd -p 8000'; busybox httpd -p 8000 -h /srv/image")),
    f"{CHAIN} two": ("base", STACK),
    "02-containers/17-docker": ("docker-to-install", DOCKER.format(install="apt-get update; apt-get install -y docker.io; ")),
    "02-containers/18-from-code-to-container": ("engines", BUILD),
    "02-containers/19-dockers-architecture": ("engines", DOCKER.format(install="")),
    "02-containers/20-registries one": ("engines", LAN.format(n=2, more="registry")),
    "02-containers/20-registries two": ("engines", LAN.format(n=3, more="") + "docker run --detach --name page web"),
    LADDER: ("base", solution(LADDER, "", "pkill -KILL -x sleep; runc delete --force hand 2>/dev/null\n")),
    "03-engines/01-lxc": ("engines", LXC),
    "03-engines/02-cri": ("cri", POD),
    "03-engines/03-podman": ("engines", PODMAN),
    "03-engines/04-rkt": ("engines", solution("03-engines/04-rkt", "", "pkill -f 'httpd -f -p 8080'; ", "pkill -x systemd-nspawn; ")),
    "03-engines/05-mesos": ("mesos", MESOS),
    "03-engines/06-five-runtimes": ("runtimes", FIVE)}
"""A lesson, with the machine's or the figure's name where it has several -> (the image, what runs in it after the lab's setup)."""


def asked(case: str) -> set[tuple[str, str]]:
    """What the figures ask about the machine, with the text that is filled; behind the lesson, a machine or else a figure."""
    lesson, _, word = case.partition(" ")
    figures = sorted((COURSE / lesson / "figures").glob("*.svg"))
    named = [figure for figure in figures if figure.stem == word] or figures
    return {(element.get(name), element.get("data-fact-text", "") if name == "data-fact" else "")
            for figure in named for element, machine in walk(ElementTree.parse(figure).getroot())  # noqa: S314  (it is our own)
            if machine == (word if named == figures else "")
            for name in ("data-fact", "data-fact-if", "data-fact-part") if element.get(name)}


def walk(element: ElementTree.Element, machine: str = "") -> Iterator[tuple[ElementTree.Element, str]]:
    """Every element with the machine that it, or a group around it, names."""
    machine = element.get("data-fact-machine", machine)
    yield element, machine
    for child in element:
        yield from walk(child, machine)


def setup_of(lesson: str) -> str:
    """Its end may be an ``exit``, so it runs in a shell of its own."""
    file = COURSE / lesson.partition(" ")[0] / "setup.sh"
    return f"({file.read_text()})\n" if file.exists() else ""


def unanswered(asking: set[tuple[str, str]], facts: dict[str, Any]) -> list[str]:
    """Mesos 1.11 makes control groups on version 1 only, so its figure asks for them there only."""
    missing = []
    for question, text in asking:
        found = questions.ask(question, facts)
        if not questions.is_true(found):
            missing.append(question)
        elif "null" in questions.fill(text, found, facts):
            missing.append(f"{text} of {question}")
    return [each for each in missing if facts["cgroup_version"] == 1 or "/mesos-node-" not in each]


@pytest.mark.parametrize("lesson", FIGURES)
def test_every_fact_of_the_figure_is_found(make, shell, lesson):
    image, script = FIGURES[lesson]
    box = make("nested", image=image, disk_bytes=2 << 30)
    asking = asked(lesson)
    shell(box, QUIET + setup_of(lesson), timeout=60)
    before = xray.collect(box)
    assert unanswered(asking, before), "it has something to show"
    shell(box, QUIET + script, timeout=90)

    missing: list[str] = []

    def is_answered() -> bool:
        missing[:] = unanswered(asking, xray.collect(box))
        return not missing
    try:
        wait_until(is_answered, 20)
    except TimeoutError:
        pytest.fail(f"not found: {missing}")
