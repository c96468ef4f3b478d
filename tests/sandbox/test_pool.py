"""Real spares: claimed, filled, killed at every step, and nothing of them left."""

import os
import signal
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from runtime_agent import (
    addresses,
    cgroup,
    conmon_group,
    grace,
    launch,
    proc,
    rootfs,
    sandbox,
    slots,
    spares,
    spawn,
    state,
    teardown,
    xray,
)
from runtime_agent.addresses import Network
from tests.instance import wait_until
from tests.sandbox.machines import kind, kind_on_a_network
from tests.sandbox.pool_stage import a_pool, all_that_is_there, die, in_a_process_that_is_killed, settle

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("profile", ["standard", "nested"])
def test_a_click_gets_a_spare_that_is_like_any_other_sandbox(host, filled, shell, profile):
    wanted = kind(profile)
    filled.want(wanted)
    settle(filled)
    assert filled.count() == 2
    box = filled.create(host, wanted)
    assert box.container != wanted.name
    assert box.is_alive() and sandbox.find(host, wanted.session_id, "box").container == box.container
    assert shell(box, "id -un; hostname; cat /proc/1/oom_score_adj").output.split() == ["root", "lab", "500"]
    assert box.init_pid in sandbox.group(host, wanted.session_id, "box").pids()
    assert spawn.open_terminal(host, box, 0, 24, 80).is_alive()
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in (box.init_pid, box.conmon_pid)} == {0}
    assert filled.count() == 1
    settle(filled)
    assert filled.count() == 2
    filled.delete(host, wanted.session_id, "box")
    assert box.container not in " ".join(all_that_is_there(host))


def test_spares_are_plugged_into_the_network_of_whoever_claims_them(host, filled, shell):
    lan = (Network("lan", ("web", "db"), IPv4Network("10.20.0.0/24")),)
    specs = {name: replace(kind(), machine=name, hostname=name) for name in ("web", "db")}
    wanted = {name: replace(spec, session_id=specs["web"].session_id, interfaces=addresses.interfaces_of(lan, name),
                            hosts=addresses.hosts_of(lan, specs, name)) for name, spec in specs.items()}
    for spec in wanted.values():
        filled.want(spec)
    settle(filled)
    boxes = {name: filled.create(host, spec) for name, spec in wanted.items()}
    assert all(box.container != wanted[name].name for name, box in boxes.items())
    assert "10.20.0.2/24" in shell(boxes["db"], "ip -4 -o address show eth0").output
    asked = shell(boxes["web"], "python3 -c \"import socket; socket.create_connection(('db', 22), 2)\" 2>&1 | tail -1")
    assert "refused" in asked.output, "db answers by its name, and serves nothing"


def test_the_x_ray_sees_the_layers_and_changes_of_one_that_was_a_spare(host, filled, shell):
    wanted = kind()
    filled.want(wanted)
    settle(filled)
    box = filled.create(host, wanted)
    shell(box, "echo mine >/root/new")
    found = xray.collect(box)
    assert box.container != wanted.name
    assert found["layers"] and "/root/new" in str(found["changes"])
    assert found["cgroups"] and found["processes"]


@pytest.mark.parametrize("wanted, is_started", [(kind(), True), (kind_on_a_network(), False)])
def test_a_spare_waits_with_nothing_but_init_and_at_a_low_priority(host, filled, wanted, is_started):
    filled.want(wanted)
    settle(filled)
    spare = spares.unclaimed(host)[0]
    assert (proc.arguments(spare.started.pid)[0] == "/.bulkhead/bin/init") is is_started
    assert os.getpriority(os.PRIO_PROCESS, spare.started.pid) == spares.NICE
    pids = cgroup.of_container(host.cgroup, spare.name).pids()
    assert len(pids) == 1 + is_started
    assert {proc.stat_fields(pid)[0] for pid in pids - {spare.started.pid}} <= {"T"}


def test_without_a_spare_a_start_is_cold(host, filled):
    wanted = kind()
    assert filled.create(host, wanted).container == wanted.name


def test_creating_again_returns_the_one_that_lives(host, filled):
    wanted = kind()
    filled.want(wanted)
    settle(filled)
    first, second = filled.create(host, wanted), filled.create(host, wanted)
    assert first.init_pid == second.init_pid
    assert filled.count() == 1


def test_a_resume_comes_for_its_own_disk(host, filled, shell):
    wanted = kind()
    filled.want(wanted)
    settle(filled)
    shell(filled.create(host, wanted), "echo mine >/root/kept; sync")
    filled.delete(host, wanted.session_id, "box", keep_disk=True)
    settle(filled)
    assert list(slots.leased(host).values()).count(wanted.name) == 1, "a kept disk keeps its ids"
    box = filled.create(host, wanted)
    assert box.container == wanted.name
    assert shell(box, "cat /root/kept").output == "mine\n"
    assert filled.count() == 2


@pytest.mark.parametrize("who", ["conmon_pid", "pid"])
def test_one_that_dies_while_it_waits_is_not_given_out_and_goes(host, who):
    filled = a_pool(replace(host, warm=1))
    wanted = kind()
    filled.want(wanted)
    settle(filled)
    spare = spares.unclaimed(host)[0]
    os.kill(getattr(spare.started, who), signal.SIGKILL)
    wait_until(lambda: not spare.is_fit(), what="its death")
    assert filled.count() == 0
    assert filled.create(host, wanted).container == wanted.name
    settle(filled)
    assert [other.name for other in spares.unclaimed(host)] != [spare.name]
    assert spare.name not in " ".join(all_that_is_there(host))


def test_a_spare_that_does_not_start_costs_the_student_nothing(host, filled, monkeypatch):
    wanted = kind()
    filled.want(wanted)
    settle(filled)
    monkeypatch.setattr(spares.os, "setpriority", lambda *_: (_ for _ in ()).throw(OSError("no")))
    box = filled.create(host, wanted)
    assert box.container == wanted.name and box.is_alive()


def test_a_spare_whose_init_ends_while_it_is_claimed_costs_the_student_nothing(host, filled, monkeypatch):
    wanted, plug_in = kind(), sandbox.network.connect
    filled.want(wanted)
    settle(filled)

    def too_late(session_id, interfaces, pid):
        if not victims:
            victims.append(pid)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: proc.start_ticks(pid) is None, 20, "its end")
        plug_in(session_id, interfaces, pid)
    victims = []
    monkeypatch.setattr(sandbox.network, "connect", too_late)
    box = filled.create(host, wanted)
    assert victims and box.container == wanted.name and box.is_alive()


def test_a_full_host_keeps_no_spares(host):
    filled = a_pool(host, limit=2)
    filled.want(kind())
    settle(filled)
    assert filled.count() == 2
    filled.create(host, kind())
    settle(filled)
    assert filled.count() == 1
    filled.create(host, kind())
    settle(filled)
    assert filled.count() == 0


@pytest.mark.parametrize("make, module, name, calls", [
    (kind, spares, "begin", 0), (kind, slots, "hand_over", 0), (kind, rootfs, "disk_path", 1), (kind, os, "setpriority", 0),
    (kind, state, "save", 0), (kind_on_a_network, spawn, "start_container", 0),
    (kind_on_a_network, sandbox, "_wait_for_init", 0), (kind_on_a_network, state, "save", 0)])
def test_a_kill_between_claim_and_start_leaves_a_session_that_can_start_again(host, filled, monkeypatch, make, module, name,
                                                                               calls):
    """disk_path is asked once before the claim."""
    wanted, seen = make(), []
    filled.want(wanted)
    settle(filled)
    original = getattr(module, name)

    def step():
        monkeypatch.setattr(module, name, lambda *a, **k: original(*a, **k) if len(seen) < calls and not seen.append(1)
                            else die())
        filled.create(host, wanted)

    in_a_process_that_is_killed(step)
    assert filled.count() == 1, "one is claimed, whatever became of it"
    assert sandbox.find(host, wanted.session_id, "box") is None
    claimed = sandbox.container(host, wanted.session_id, "box")
    assert claimed != wanted.name
    assert a_pool(host).create(host, kind()).container != claimed, "and nobody else gets it"
    box = a_pool(host).create(host, wanted)
    assert box.is_alive() and box.container != claimed
    assert claimed not in " ".join(all_that_is_there(host))


@pytest.mark.parametrize("module, name", [
    (sandbox.rootfs, "make_disk"), (sandbox.rootfs, "mount"), (spawn, "create_container"), (spawn, "start_container"),
    (spawn, "park_shell"), (spawn, "_set_oom_score"), (launch, "set_up"), (state, "save")])
def test_a_kill_while_a_spare_is_made_leaves_nothing_after_the_next_look(host, filled, set_up, monkeypatch, module, name):
    def step():
        monkeypatch.setattr(module, name, die)
        spares.make(host, set_up("true"))

    in_a_process_that_is_killed(step)
    assert spares.unclaimed(host) == []
    settle(a_pool(host))
    assert all_that_is_there(host) == []


def test_a_kill_while_one_is_discarded_leaves_nothing_after_the_next_look(host, filled, monkeypatch):
    filled.want(kind())
    settle(filled)

    def step():
        monkeypatch.setattr(teardown, "dismantle", die)
        spares.discard(host, spares.unclaimed(host)[0])

    in_a_process_that_is_killed(step)
    settle(a_pool(replace(host, warm=0)))
    assert all_that_is_there(host) == []


def test_waiting_for_the_kernel_in_advance_moves_nobody():
    before = Path("/proc/self/cgroup").read_text()
    waiting = grace.hasten()
    assert waiting is not None, "this process's own group is not to be seen"
    waiting.join(10)
    assert not waiting.is_alive()
    assert Path("/proc/self/cgroup").read_text() == before


def test_a_conmon_has_ten_times_the_weight_of_a_sandbox(host, make):
    box = make()
    weights = [int(group.file("cpu", name).read_text())
               for group in (cgroup.Group(f"{host.cgroup}/conmon"), sandbox.group(host, box.session_id, box.machine))
               for name in conmon_group.WEIGHT if group.file("cpu", name).exists()]
    assert weights[0] == 10 * weights[1]
