"""Fifty sandboxes come and go, cold and from spares, and the host is as it was."""

import contextlib
import os
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_agent import cgroup, conmon, namespace, network, pool, sandbox, slots, spawn
from runtime_agent.addresses import Interface
from runtime_agent.capacity import Capacity
from tests.instance import wait_until
from tests.sandbox.conftest import specification

pytestmark = pytest.mark.sandbox
CYCLES = 50
WIRED_EVERY = 10


@pytest.fixture
def host(agent):
    agent.spares_dir.mkdir(mode=0o700, exist_ok=True)
    return replace(agent, warm=1)


def inventory(host):
    """Everything that a sandbox takes of this host, by name. Network namespaces are held by processes, descriptors and
    mounts only."""
    folders = [host.sandboxes_dir, host.spares_dir, host.disks_dir, namespace.VIEW, network.SWITCHES, host.agent_dir,
               *(conmon.run_dir(host) / name for name in ("", "runtime", "conmon"))]
    return {
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "loop devices": sorted(path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")
                               if str(host.state_dir) in path.read_text()),
        "cgroups": sorted(str(path) for top in cgroup.Group(host.cgroup).folders() for path in top.rglob("*/")),
        "slots": slots.leased(host),
        "processes": processes(host),
        "network namespaces": sorted(living_networks(host)),
        "files": sorted(str(path) for folder in folders if folder.exists() for path in folder.iterdir()),
        "descriptors": Counter(descriptors()),
    }


def processes(host):
    """Ours by their command line (conmon) and by their control group (everything inside)."""
    found = set(cgroup.Group(host.cgroup).pids())
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if os.fsencode(host.run_dir) in line or os.fsencode(host.state_dir) in line:
            found.add(int(entry.parent.name))
    return found - {os.getpid()}


def living_networks(host):
    """Those of processes with ids of ours: the kernel gives the number of a dead one to the next."""
    ours = range(slots.base_of(host.slot_base), slots.base_of(host.slot_base + 100))
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            first = (entry / "uid_map").read_text().split()
            if first and int(first[1]) in ours:
                found.add(os.readlink(entry / "ns" / "net"))
        except OSError:
            continue
    return found


def descriptors():
    for name in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{name}").partition(":[")[0]
        except OSError:  # that of the listing itself
            continue


def cycle(host, create, number):
    wires = (Interface(0, 1, "eth0", "10.77.0.1/24"),) if number % WIRED_EVERY == 0 else ()
    wanted = replace(specification("standard"), session_id=str(uuid.uuid4()), interfaces=wires)
    box = create(host, wanted)
    was_spare = box.container != wanted.name
    assert os.readlink(f"/proc/{box.init_pid}/ns/net") in living_networks(host)
    terminal = spawn.open_terminal(host, box, 0, 24, 80)
    os.close(spawn.adopt(terminal))
    assert spawn.run(host, box, ["/bin/true"], "root", 20).status == 0
    sandbox.delete(host, wanted.session_id, "box")
    return was_spare


@pytest.mark.parametrize("way", ["cold", "from spares"])
def test_fifty_cycles_leave_nothing(host, way):
    filled = pool.Pool(host, Capacity(4, lambda: [(box.session_id, box.machine) for box in sandbox.living(host)]))
    create = sandbox.create if way == "cold" else filled.create
    cycle(host, sandbox.create, 0)  # what is made once and kept is there now
    before = inventory(host)
    were_spares = 0
    for number in range(CYCLES):
        if way == "from spares":
            while filled.step():
                pass
        were_spares += cycle(host, create, number)
    empty = pool.Pool(replace(host, warm=0), filled.capacity)
    while empty.step():
        pass
    assert were_spares == (0 if way == "cold" else CYCLES - 2), "all but the first of each kind"
    with contextlib.suppress(TimeoutError):  # a killed process takes a moment to go
        wait_until(lambda: inventory(host) == before, 5)
    assert difference(before, inventory(host)) == {}


def difference(before, after):
    """What of each sort has come and gone, with a sign."""
    found = {}
    for name in after:
        had, has = Counter(before[name]), Counter(after[name])
        if had != has:
            found[name] = [f"+{item}" for item in has - had] + [f"-{item}" for item in had - has]
    return found
