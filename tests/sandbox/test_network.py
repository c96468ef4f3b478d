"""Lab networks, proved from inside real sandboxes: who hears whom, and that nobody else does."""

import contextlib
import errno
import os
import signal
import socket
import uuid
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from runtime_agent import addresses, network, sandbox
from runtime_agent.addresses import Network
from tests.instance import wait_until
from tests.sandbox.machines import specification

pytestmark = pytest.mark.sandbox

LAN = (Network("lan", ("web", "db"), IPv4Network("10.20.0.0/24")),)
SERVE = """(cd /tmp && echo hello from db >index && exec python3 -m http.server {port} --bind {address}) >/dev/null 2>&1 </dev/null &
until (exec 3<>/dev/tcp/{address}/{port}) 2>/dev/null; do sleep .05; done"""

LIST_LINKS_OF_NSID_0 = (
    "import socket, struct; s = socket.socket(16, 3, 0);"
    " s.send(struct.pack('=IHHIIBxHiIIHHi', 40, 18, 0x301, 1, 0, 0, 0, 0, 0, 0, 8, 46, 0));"  # IFLA_TARGET_NETNSID
    " a = s.recv(65536); print(struct.unpack_from('=i', a, 16)[0] if a[4] in (2, 3) else 'listed')")


@pytest.fixture
def lab(agent):
    """``lab(networks, profile)`` starts every machine of the networks; all are deleted after the test."""
    with contextlib.ExitStack() as stack:
        def start(networks=LAN, profile="standard", **changes):
            session_id = str(uuid.uuid4())
            names = dict.fromkeys(name for each in networks for name in each.machines)
            specs = {name: replace(specification(profile), session_id=session_id, machine=name, hostname=name, **changes)
                     for name in names}
            boxes = {}
            for name, spec in specs.items():
                stack.callback(sandbox.delete, agent, session_id, name)
                boxes[name] = sandbox.create(agent, replace(
                    spec, interfaces=addresses.interfaces_of(networks, name),
                    hosts=addresses.hosts_of(networks, specs, name)))
            return boxes
        yield start


def test_machines_know_each_other_by_name_and_talk(lab, shell):
    boxes = lab()
    serve(shell, boxes["db"], "db", 80)
    assert shell(boxes["web"], "getent hosts web db").output.split() == ["10.20.0.1", "web", "10.20.0.2", "db"]
    assert "hello from db" in fetch(shell, boxes["web"], "http://db/index")


def test_addresses_are_up_before_the_first_process(lab, shell):
    box = lab()["db"]
    assert "inet 10.20.0.2/24 brd 10.20.0.255" in shell(box, "ip -4 address show eth0").output
    assert "02:42:0a:14:00:02" in shell(box, "ip link show eth0 up").output
    assert shell(box, "ip -4 route").output.split()[:3] == ["10.20.0.0/24", "dev", "eth0"]


def test_a_machine_between_two_networks_has_an_interface_in_each(lab, shell):
    boxes = lab((Network("outside", ("client", "proxy"), IPv4Network("10.1.0.0/24")),
                 Network("inside", ("proxy", "server"), IPv4Network("10.2.0.0/24"))))
    assert "10.2.0.1/24" in shell(boxes["proxy"], "ip -4 -o address show eth1").output
    assert answers(shell, boxes["client"], "10.1.0.2")
    assert answers(shell, boxes["server"], "10.2.0.1")
    shell(boxes["client"], "ip route add 10.2.0.0/24 via 10.1.0.2 2>/dev/null")
    assert not answers(shell, boxes["client"], "10.2.0.2"), "the switch carries frames from one network to the other"


def test_a_machine_without_networks_has_a_loopback_only(make, shell):
    assert shell(make(), "ls /sys/class/net").output.split() == ["lo"]


def test_the_same_subnet_in_two_sessions_is_two_networks(lab, shell):
    alices, bobs = lab(), lab()
    serve(shell, alices["db"], "db", 80)
    assert "hello" in fetch(shell, alices["web"], "http://10.20.0.2/index")
    assert "refused" in fetch(shell, bobs["web"], "http://10.20.0.2/index"), "Bob's own db answers, and serves nothing"


def test_nothing_of_the_host_can_be_reached(lab, shell):
    box = lab(profile="nested")["web"]
    shell(box, "ip route add default via 10.20.0.2; ip address add 10.20.0.254/24 dev eth0")
    for address in host_addresses():
        assert "unreachable" in reach(shell, box, address) or "timed out" in reach(shell, box, address), address


def test_the_switch_answers_to_nothing(lab, shell):
    """An administrator of the network hears only the lab's own machines, whatever he broadcasts."""
    box = lab(profile="nested")["web"]
    shell(box, "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0; ip link set eth0 down; ip link set eth0 up; sleep 2.5")
    assert shell(box, "ip neigh flush all; ping -c1 -W1 10.20.0.2 >/dev/null 2>&1; true").status == 0
    heard = shell(box, "for n in $(seq 3 30); do python3 -c \"import socket; s=socket.socket(2,2);"
                       " s.sendto(b'x', ('10.20.0.$n', 9))\" 2>/dev/null; done; ip neigh show nud reachable").output
    assert heard.strip() in ("", "10.20.0.2 dev eth0 lladdr 02:42:0a:14:00:02 REACHABLE")
    assert "fe80" not in shell(box, "ip -6 neigh show nud reachable").output


def test_an_administrator_inside_cannot_touch_the_switch(lab, shell):
    """The other end of eth0 has a number inside (link-netnsid 0); the right to use it belongs to the host."""
    box = lab(profile="nested")["web"]
    assert "link-netnsid 0" in shell(box, "ip link show eth0").output
    assert "not permitted" in shell(box, "ip link add dummy7 link-netnsid 0 type dummy").output
    assert shell(box, f"python3 -c \"{LIST_LINKS_OF_NSID_0}\"").output.strip() == f"-{errno.EACCES}"
    assert switch_links(box) == {"lo", "br0", "port0.1", "port0.2"}


def test_a_stolen_address_stays_inside_the_session(lab, shell):
    alices, bobs = lab(profile="nested"), lab(profile="nested")
    steal = "ip link set eth0 down; ip link set eth0 address 02:42:0a:14:00:02; ip link set eth0 up; ip a add 10.20.0.2/24 dev eth0"
    shell(bobs["web"], steal)
    assert answers(shell, alices["web"], "10.20.0.2")
    assert "02:42:0a:14:00:02" in shell(alices["db"], "ip link show eth0").output


def test_deleting_takes_the_switch_with_the_last_machine(agent, lab):
    before = namespaces()
    boxes = lab()
    session_id = boxes["web"].session_id
    sandbox.delete(agent, session_id, "web")
    assert (network.SWITCHES / session_id).exists()
    sandbox.delete(agent, session_id, "db")
    sandbox.delete(agent, session_id, "db")
    assert not (network.SWITCHES / session_id).exists()
    assert namespaces() == before


def test_a_machine_that_is_made_again_is_plugged_in_again(agent, lab, shell):
    boxes = lab()
    os.kill(boxes["db"].init_pid, signal.SIGKILL)
    wait_until(lambda: not boxes["db"].is_alive(), 10, "the end of its first process")
    again = sandbox.create(agent, boxes["db"].spec)
    assert answers(shell, boxes["web"], "10.20.0.2")
    assert again.spec.interfaces == boxes["db"].spec.interfaces


def test_a_process_of_the_host_is_never_plugged_in(agent):
    interfaces = addresses.interfaces_of(LAN, "web")
    before = set(os.listdir("/sys/class/net"))
    with pytest.raises(Exception, match="no network namespace of its own"):
        network.connect(str(uuid.uuid4()), interfaces, os.getpid())
    assert set(os.listdir("/sys/class/net")) == before


def test_a_preview_reaches_the_machines_own_ports_and_nothing_of_the_hosts(lab, shell):
    box, near = lab()["db"], socket.socket()
    serve(shell, box, "127.0.0.1", 8080)
    serve(shell, box, "db", 8081)
    with near:
        near.bind(("127.0.0.1", 0))
        near.listen(1)
        assert get(box, "127.0.0.1", 8080).endswith(b"hello from db\n")
        assert get(box, "10.20.0.2", 8081).endswith(b"hello from db\n")
        with pytest.raises(ConnectionRefusedError):
            get(box, "127.0.0.1", near.getsockname()[1])
        with pytest.raises(OSError, match="unreachable"):
            get(box, "192.0.2.1", 80)


def test_a_machine_that_has_ended_gives_no_socket(agent, lab):
    box = lab()["web"]
    pid, ticks = box.init_pid, box.state["init_start_ticks"]
    sandbox.delete(agent, box.session_id, "web")
    with pytest.raises(ProcessLookupError):
        network.open_socket(pid, ticks)


def test_docker_pushes_to_and_pulls_from_a_registry_on_another_machine(lab, shell):
    """With Docker's own bridge and rules beside eth0, and an administrator's rights on both machines."""
    networks = (Network("lan", ("docker", "registry"), IPv4Network("10.20.0.0/24")),)
    boxes = lab(networks, "nested", image="engines", disk_bytes=4 << 30)
    registry, docker = boxes["registry"], boxes["docker"]
    assert shell(registry, "engine-up registry 2>&1").status == 0
    shell(docker, "mkdir -p /etc/docker; echo '{\"insecure-registries\": [\"registry:5000\"]}' > /etc/docker/daemon.json")
    up = shell(docker, "engine-up docker 2>&1")
    assert up.status == 0, up
    pushed = shell(docker, "docker tag busybox registry:5000/mine && docker push -q registry:5000/mine && docker rmi -f busybox"
                           " registry:5000/mine >/dev/null && docker pull -q registry:5000/mine && docker image ls -q")
    assert pushed.status == 0, pushed
    assert pushed.output.splitlines()[:2] == ["registry:5000/mine:latest", "registry:5000/mine:latest"], pushed
    assert '"mine"' in shell(docker, "curl -s http://registry:5000/v2/_catalog").output


def test_thirty_labs_leave_nothing_behind(agent, lab):
    lab()
    before = namespaces(), sorted(os.listdir("/sys/class/net")), len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        boxes = lab()
        for box in boxes.values():
            sandbox.delete(agent, box.session_id, box.machine)
    assert (namespaces(), sorted(os.listdir("/sys/class/net")), len(os.listdir("/proc/self/fd"))) == before


def serve(shell, box, address: str, port: int) -> None:
    assert shell(box, SERVE.format(address=address, port=port)).status == 0


def fetch(shell, box, url: str) -> str:
    return shell(box, f"python3 -c \"import urllib.request as u; print(u.urlopen('{url}', timeout=3).read())\" 2>&1"
                      " | tail -1").output


def reach(shell, box, address: str) -> str:
    return shell(box, f"python3 -c \"import socket; socket.create_connection(('{address}', 22), 1)\" 2>&1 | tail -1"
                 ).output


def answers(shell, box, address: str) -> bool:
    """A closed port of a living machine refuses; of an absent one nothing comes."""
    return "refused" in reach(shell, box, address)


def host_addresses() -> list[str]:
    """The host's own addresses but the loopback's, and one of the world."""
    found = [line.split()[-1] for line in Path("/proc/net/fib_trie").read_text().splitlines() if "|--" in line]
    return sorted({address for address in found if not address.startswith(("127.", "0.")) and address[-2:] != ".0"}
                  | {"192.0.2.1"})[:6]


def get(box, address: str, port: int) -> bytes:
    """What a web server at that address says to whoever asks from inside the machine."""
    with network.open_socket(box.init_pid, box.state["init_start_ticks"]) as opened:
        opened.settimeout(5)
        opened.connect((address, port))
        opened.sendall(b"GET /index HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: opened.recv(4096), b""))


def switch_links(box) -> set[str]:
    def list_links() -> set[str]:
        network._join(network.SWITCHES / box.session_id)
        lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
        return {line.split(":")[0].strip() for line in lines if ":" in line}
    return network.in_own_thread(list_links)


def namespaces() -> set[str]:
    """Network namespaces that a mount holds; those that processes hold end with them."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[3] for line in lines if " - nsfs " in line}
