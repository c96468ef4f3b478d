"""Fifty sandboxes come and go, cold and from spares, and the host is as it was."""

import contextlib
import os
import uuid
from dataclasses import replace

import pytest

from runtime_agent import pool, sandbox, spawn
from runtime_agent.addresses import Interface
from runtime_agent.capacity import Capacity
from tests.instance import PATIENCE, wait_until
from tests.sandbox.inventory import difference, inventory, living_networks
from tests.sandbox.machines import specification

pytestmark = pytest.mark.sandbox
CYCLES = 50 if PATIENCE == 1 else 8  # where the processor is emulated
WIRED_EVERY = 10


@pytest.fixture
def host(agent):
    agent.spares_dir.mkdir(mode=0o700, exist_ok=True)
    return replace(agent, warm=1)


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
def test_many_cycles_leave_nothing(host, way):
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
