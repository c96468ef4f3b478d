"""The facts of real sandboxes against what was set up in them, and against what was faked."""

import json
import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime_agent import sandbox, xray
from runtime_agent.xray import cgroups
from tests.instance import wait_until

pytestmark = pytest.mark.sandbox
QUIET = "exec >/dev/null 2>&1 </dev/null\n"
MAKES = {"uts": "--uts", "ipc": "--ipc", "net": "--net", "mnt": "--mount", "user": "--user", "cgroup": "--cgroup",
         "time": "--time --fork"}
"""Linux 6.1 lets only a child that is forked into a new time namespace, newer ones what is executed, too."""


@pytest.fixture
def start(shell):
    """``start(box, "command")`` leaves a command running in the background; its process's facts by comm."""
    def run(box, line, comm="sleep"):
        shell(box, f"{QUIET}setsid {line} &")
        return wait_until(lambda: of(box, comm), 10, f"{comm} of {line}")
    return run


def of(box, comm):
    return next((one for one in xray.collect(box)["processes"] if one["comm"] == comm), None)


def test_a_fresh_sandbox_is_one_process_with_two_numbers(make):
    box = make()
    facts = xray.collect(box)
    assert facts["init"]["pid"] == box.init_pid
    assert facts["init"]["pids"] == [box.init_pid, 1]
    assert (facts["init"]["uid_sandbox"], facts["init"]["seccomp"], facts["init"]["no_new_privs"]) == (0, "filter", True)
    assert facts["init"]["apart"] == []
    assert "sys_admin" not in facts["init"]["capabilities"]
    own = {one["type"] for one in facts["namespaces"] if one["is_sandbox"]}
    assert own == {"pid", "mnt", "net", "uts", "ipc", "user", "cgroup"}
    assert facts["truncated"] == []


@pytest.mark.parametrize("kind", sorted(MAKES))
def test_each_kind_of_namespace_is_seen(make, start, kind):
    box = make("nested")
    found = start(box, f"unshare {MAKES[kind]} sleep 100")
    assert found["apart"] == found["entered"] == [kind]
    entry = next(one for one in xray.collect(box)["namespaces"] if one["id"] == found["ns"][kind])
    assert (entry["type"], entry["members"], entry["entered"], entry["is_sandbox"]) == (kind, [found["pid"]], [found["pid"]], False)
    assert os.readlink(f"/proc/{found['pid']}/ns/{kind}") == f"{kind}:[{entry['id']}]"


def test_a_time_namespace_says_how_far_its_clocks_are_ahead(make, start, shell):
    box = make("nested")
    found = start(box, "unshare --user --map-root-user --time --fork --boottime 864000 --monotonic 3600 sleep 100")
    entry = next(one for one in xray.collect(box)["namespaces"] if one["type"] == "time" and not one["is_host"])
    assert (entry["members"], entry["offset_seconds"]) == ([found["pid"]], {"monotonic": 3600, "boottime": 864000})
    maker = of(box, "unshare")
    assert (maker["apart"], maker["ns"]["time_for_children"]) == (["user"], entry["id"])


def test_pid_namespaces_nest(make, start):
    box = make("nested")
    found = start(box, "unshare --pid --fork unshare --pid --fork --mount-proc sleep 100")
    assert (len(found["pids"]), found["pid_inside"], found["depth"]) == (4, 1, 2)
    spaces = {one["id"]: one for one in xray.collect(box)["namespaces"]}
    middle = spaces[found["ns"]["pid"]]["parent"]
    assert spaces[spaces[middle]["parent"]]["is_sandbox"]
    assert found["proc_ns"] == found["ns"]["pid"]


def test_a_pid_namespace_without_a_first_process_waits(make, start):
    found = start(make("nested"), "unshare --pid sleep 100")
    assert (found["ns"]["pid_for_children"], found["apart"]) == (0, [])


def test_user_namespaces_nest_and_map(make, start):
    box = make("nested")
    found = start(box, "unshare --user --map-user=500 sleep 100")
    assert (found["uid_inside"], found["uid_sandbox"]) == (500, 0)
    spaces = {one["id"]: one for one in xray.collect(box)["namespaces"]}
    assert spaces[spaces[found["ns"]["user"]]["parent"]]["is_sandbox"]
    assert spaces[found["ns"]["user"]]["uid_map"] == [{"inside": 500, "outside": found["uid"], "count": 1}]


def test_host_names_are_those_inside_and_joining_is_told_from_birth(make, start, shell):
    box = make("nested")
    first = start(box, "unshare --uts sh -c 'hostname harbour; exec sleep 100'")
    shell(box, f"{QUIET}setsid nsenter -t {first['pid_sandbox']} -u sh -c 'sleep 101 & exec tail -f /dev/null' &")
    joined = wait_until(lambda: of(box, "tail"), 10, "tail")
    assert joined["hostname"] == "harbour"
    entry = next(one for one in xray.collect(box)["namespaces"] if one["id"] == first["ns"]["uts"])
    assert entry["entered"] == sorted([first["pid"], joined["pid"]])
    assert len(entry["members"]) == 3
    assert entry["hostname"] == "harbour"


def test_a_namespace_that_a_mount_keeps_is_seen_without_a_process(make, shell):
    box = make("nested")
    shell(box, "touch /run/harbour; unshare --uts=/run/harbour hostname kept")
    entry = next(one for one in xray.collect(box)["namespaces"] if one["kept"])
    assert (entry["type"], entry["members"], entry["kept"], entry["hostname"]) == ("uts", [], ["/run/harbour"], "kept")


def test_limits_use_and_memory_kills(make, shell):
    box = make("nested", memory_bytes=64 << 20, cpus=0.1, pids=100)
    shell(box, f"head -c 200M /dev/zero | tail >/dev/null\n{QUIET}setsid timeout 100 sh -c 'while :; do :; done' &")

    def groups():
        """All of them, once the loop has been stopped: on a busy machine it takes a while to want more than its share."""
        found = xray.collect(box, {"cgroups"})["cgroups"]
        return found if found[0]["cpu"]["throttled_seconds"] > 0 else None
    around, root, *others = wait_until(groups, 60, "the loop to be stopped")
    assert (around["path"], around["role"], root["path"]) == ("/..", "limits", "/")
    assert (around["memory"]["limit_bytes"], around["cpu"]["limit_cpus"], around["pids"]["limit"]) == (64 << 20, 0.1, 100)
    assert sum(group["memory"]["oom_kills"] for group in (around, root, *others)) == box.oom_kills() >= 1
    assert around["cpu"]["throttled_periods"] > 0
    assert around["cpu"]["throttled_seconds"] > 0
    assert around["memory"]["usage_bytes"] > 0


def test_a_group_made_inside_is_named_as_inside(make, shell):
    box = make("nested")
    shell(box, QUIET + """cd /sys/fs/cgroup/memory 2>/dev/null || cd /sys/fs/cgroup
mkdir small; echo 33554432 > small/memory.limit_in_bytes || echo 33554432 > small/memory.max
setsid sh -c 'echo $$ > small/cgroup.procs; exec sleep 100' &""")
    found = wait_until(lambda: (one := of(box, "sleep")) and one["cgroup"]["memory"] == "/small" and one, 10, "sleep in /small")
    entry = next(one for one in xray.collect(box)["cgroups"] if one["path"] == "/small")
    assert entry["memory"]["limit_bytes"] == 32 << 20
    assert found["pid"] in entry["members"]
    assert "/small/small" not in [one["path"] for one in xray.collect(box)["cgroups"]]


def test_the_layers_say_what_was_written(make, shell):
    box = make()
    shell(box, "echo hello > /root/new; echo x >> /etc/passwd; rm /etc/issue; rm -r /usr/games; mkdir /usr/games; mkdir /srv/deep")
    facts = xray.collect(box, {"changes", "layers"})
    changes = {one["path"]: (one["kind"], one["type"], one["size_bytes"]) for one in facts["changes"]}
    assert changes["/root/new"] == ("added", "file", 6)
    assert changes["/etc/passwd"][0] == "changed"
    assert changes["/etc/issue"][0] == "deleted"
    assert changes["/usr/games"][:2] == ("replaced", "folder")
    assert changes["/srv/deep"][:2] == ("added", "folder")
    assert "/root" not in changes
    upper, lower = facts["layers"]
    assert (upper["role"], lower["name"]) == ("upper", "base")
    assert 0 < upper["used_bytes"] < upper["limit_bytes"]
    assert lower["digest"]


def test_an_overlay_made_inside_shows_its_layers(make, shell):
    box = make("nested")
    shell(box, "mkdir -p /tmp/l /tmp/u /tmp/w /tmp/m; mount -t overlay overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w /tmp/m")
    entry = next(one for one in xray.collect(box)["mounts"] if one["target"] == "/tmp/m")
    assert (entry["lower"], entry["upper"], entry["work"], entry["meaning"]) == (["/tmp/l"], "/tmp/u", "/tmp/w", "layers")


def test_networks_and_their_cables(make, shell):
    box = make("nested")
    shell(box, QUIET + """ip link set lo up; ip netns add red; ip link add v0 type veth peer name v1 netns red
ip addr add 10.1.0.1/24 dev v0; ip link set v0 up; ip link add br0 type bridge; ip link set v0 master br0
ip route add default via 10.1.0.254; setsid python3 -m http.server 8080 &""")
    wait_until(lambda: any(one["listening"] for one in xray.collect(box)["networks"]), 10, "the server")
    own, red = sorted(xray.collect(box)["networks"], key=lambda one: not one["is_sandbox"])
    links = {one["name"]: one for one in own["interfaces"]}
    assert (links["lo"]["kind"], links["br0"]["kind"], links["v0"]["bridge"]) == ("loopback", "bridge", "br0")
    assert (links["v0"]["addresses"], links["v0"]["is_up"], links["v0"]["peer_ns"]) == (["10.1.0.1/24"], True, red["ns"])
    assert [one["name"] for one in red["interfaces"]] == ["lo", "v1"]
    assert own["listening"] == [{"protocol": "tcp", "address": "0.0.0.0", "port": 8080}]
    assert {"destination": "default", "gateway": "10.1.0.254", "interface": "v0"} in own["routes"]
    assert red["routes"] == []


def test_nothing_faked_inside_changes_a_fact(make, shell):
    box = make("nested")
    before = xray.collect(box)
    shell(box, QUIET + r"""printf '#!/bin/sh\necho nothing\n' > /usr/bin/ps; cp /bin/sleep "/tmp/)  S 1 1"
mkdir /tmp/fake; mkdir -p /tmp/fake/1/ns; ln -s 'pid:[1]' /tmp/fake/1/ns/pid; mount --bind /tmp/fake /proc
setsid unshare --mount bash -c 'mount -t tmpfs none /root; exec -a "init
State: Z" "/tmp/)  S 1 1" 100' &
mkfifo /run/trap; setsid python3 -c "
import ctypes, time
ctypes.CDLL(None).prctl(15, b'bash', 0, 0, 0); time.sleep(100)" & sleep 0.5""")

    def liars():
        return [one for one in xray.collect(box)["processes"] if one["comm"] == "bash" and one["program"].startswith("python3")]
    (liar,) = wait_until(liars, 10, "the python that calls itself bash")
    facts = xray.collect(box)
    assert facts["init"]["pid"] == before["init"]["pid"]
    assert facts["init"]["proc_ns"] == 0, "what lies at /proc now is no procfs"
    assert liar["pids"][0] == liar["pid"]
    odd = next(one for one in facts["processes"] if one["program"] == ")  S 1 1")
    assert (odd["state"], odd["apart"]) == ("sleeping", ["mnt"])
    assert "\n" not in json.dumps(facts, ensure_ascii=False)


def test_no_path_and_no_command_of_the_host_leaks(make, shell, agent):
    box = make("nested")
    shell(box, f"{QUIET}setsid unshare --mount --pid --fork sleep 100 &")
    for _ in range(20):
        text = json.dumps(xray.collect(box))
        for secret in (agent.state_dir, agent.run_dir, "/mnt/", agent.cgroup):
            assert str(secret) not in text
    assert os.uname().nodename not in {one["hostname"] for one in xray.collect(box)["namespaces"]} - {"lab"}


def test_another_sandbox_is_not_in_the_facts(make, start):
    box, other = make("nested"), make("nested")
    theirs = start(other, "sleep 100")
    pids = {one["pid"] for one in xray.collect(box)["processes"]}
    assert theirs["pid"] not in pids
    assert xray.collect_session({"a": box, "b": other})["machines"]["b"]["init"]["pid"] == other.init_pid


def test_processes_that_come_and_go_do_not_disturb_a_look(make, shell):
    box = make(pids=200)
    shell(box, f"{QUIET}setsid sh -c 'while :; do /bin/true; (:) & (:) & done' & setsid sleep 100 &")
    wait_until(lambda: of(box, "sleep"), 10, "sleep")
    for _ in range(50):
        facts = xray.collect(box)
        assert all(len(one["pids"]) >= 2 and one["cgroup"] for one in facts["processes"])
        assert of(box, "sleep")["ppid"] in {one["pid"] for one in facts["processes"]} | {0}


def test_a_runtime_on_its_way_into_the_sandbox_is_not_of_it(make, shell):
    """Checks are run by the runtime all the time: half way in it lives in some of the host's namespaces still."""
    box = make()
    own = {one["type"] for one in xray.collect(box)["namespaces"] if one["is_sandbox"]}
    looked = threading.Event()

    def run_meanwhile() -> set[int]:
        statuses = set()
        while not looked.is_set():
            statuses.add(shell(box, "true").status)
        return statuses

    with ThreadPoolExecutor(2) as others:
        runs = [others.submit(run_meanwhile) for _ in range(2)]
        try:
            for _ in range(150):
                spaces = xray.collect(box, {"namespaces"})["namespaces"]
                assert [one for one in spaces if one["type"] in own and not one["is_sandbox"]] == []
        finally:
            looked.set()
    assert [run.result() for run in runs] == [{0}, {0}]


def test_who_is_in_a_host_namespace_still_is_not_of_the_sandbox(make):
    """Some versions of crun enter the group first. A process that stops there is what a look at them can meet."""
    box = make()
    group = sandbox.group(box.settings, box.session_id, box.machine)
    with subprocess.Popen(["nsenter", "--target", str(box.init_pid), "--pid", "sleep", "100"]) as runtime:
        children = Path(f"/proc/{runtime.pid}/task/{runtime.pid}/children")
        child = int(wait_until(children.read_text, 10, "the process inside"))
        for hierarchy in cgroups.CONTROLLERS.values():
            group.file(hierarchy, "inner/cgroup.procs").write_text(str(child))
        assert child in cgroups.pids(group)
        facts = xray.collect(box)
        os.kill(child, signal.SIGKILL)
    assert [one["pid"] for one in facts["processes"]] == [box.init_pid]
    assert [one for one in facts["namespaces"] if one["is_host"] and one["type"] != "time"] == []


def test_a_sandbox_that_has_gone_gives_nothing(make, agent):
    box = make()
    sandbox.delete(agent, box.session_id, box.machine)
    assert xray.collect(box) is None
    assert xray.collect_session({"box": box})["machines"] == {}


def test_every_value_is_of_the_documented_type(make, shell):
    from runtime_agent import facts
    box = make("nested")
    shell(box, QUIET + "ip netns add red; echo x > /root/x; setsid unshare --pid --fork --user --map-root-user sleep 100 & sleep .3")
    found = xray.collect(box)
    assert list(_strangers(found, facts.schema(), "")) == []


def _strangers(value, field, path):
    """Every value that the table does not know or calls something else; and every path that is not there."""
    if value is None:
        if not field.is_optional:
            yield f"{path} is null"
    elif field.kind == "list":
        for entry in value:
            yield from _strangers(entry, field.item, f"{path}[]")
    elif field.kind == "object":
        yield from (f"{path}.{name} is not in the table" for name in value.keys() - field.fields.keys())
        yield from (f"{path}.{name} is missing" for name in field.fields.keys() - value.keys())
        for name in value.keys() & field.fields.keys():
            yield from _strangers(value[name], field.fields[name], f"{path}.{name}")
    elif not isinstance(value, {"text": str, "bool": bool, "number": (int, float)}[field.kind]):
        yield f"{path} is {value!r}, no {field.kind}"


ENGINES = {
    "docker": ("engine-up docker; docker load -q -i /opt/images/busybox.tar; docker run -d busybox sleep 600", r"[0-9a-f]{12}"),
    "podman": ("podman load -q -i /opt/images/busybox.tar; podman run -d busybox sleep 600", r"[0-9a-f]{12}"),
    "containerd": ("engine-up containerd; ctr -n k8s.io run -d docker.io/library/busybox:latest one sleep 600", "one"),
    "lxc": ("engine-up lxc; lxc-create -n box -t busybox > /dev/null; lxc-start -n box; lxc-wait -n box -s RUNNING -t 20", "box"),
    "oci": ("mkdir -p /root/b; cp -a /opt/images/rootfs /root/b/; cd /root/b; crun spec; sed -i 's/\"terminal\": true/"
            "\"terminal\": false/; s/\"sh\"$/\"sleep\",\"600\"/' config.json; crun run -d demo", "demo"),
    "nspawn": ("cp -a /opt/images/rootfs /root/m; (setsid systemd-nspawn -q -D /root/m -M m --register=no --keep-unit --pipe "
               "sleep 600 > /dev/null 2>&1 < /dev/null &)", "m")}


@pytest.mark.parametrize("kind", ENGINES)
def test_real_engines_are_told_apart(agent, make, shell, kind):
    script, name = ENGINES[kind]
    box = make("nested", image="engines", disk_bytes=2 << 30)
    result = shell(box, script, timeout=90)
    assert result.status == 0, result.output[-1000:]
    [found] = wait_until(lambda: xray.collect(box)["engines"], 20, f"{kind}: {result.output[-500:]}")
    assert found["kind"] == kind
    assert re.fullmatch(name, found["name"])
    first = next(one for one in xray.collect(box)["processes"] if one["pid"] == found["pid"])
    assert (first["pid_inside"], first["engine"]) == (1, f"{kind}:{found['name']}")
    assert {"pid", "mnt", "uts"} <= set(found["apart"])
