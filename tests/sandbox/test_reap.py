"""`reap` with real spares and sandboxes: what is nobody's ends, what is a student's stays until told, and nothing is left."""

import os
import uuid
from dataclasses import replace

import pytest

from runtime_agent import duty, reap_command, rootfs, sandbox, slots, spares, spawn, state
from tests.instance import wait_until
from tests.sandbox.inventory import difference, inventory
from tests.sandbox.machines import specification

pytestmark = pytest.mark.sandbox


@pytest.fixture
def host(agent):
    """With its folders there, so that a difference is one of what lies in them. The suite's process is in the agent's
    namespace already, and has threads by now, with which nobody gets into another."""
    for folder in (agent.spares_dir, agent.sandboxes_dir, agent.disks_dir):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with duty.alone(agent):  # its file stays
        pass
    with pytest.MonkeyPatch.context() as inside:
        inside.setattr(reap_command.namespace, "enter", lambda settings: None)
        yield agent
        assert reap_command.main(agent, ["--all"]) == 0


@pytest.fixture
def box(host, make):
    found = make()
    os.close(spawn.adopt(spawn.open_terminal(host, found, 0, 24, 80)))
    return found


def as_before(host, before):
    wait_until(lambda: difference(before, inventory(host)) == {}, 20, f"{difference(before, inventory(host))} to go")


def test_spares_go_and_students_sandboxes_stay(host, box, capsys):
    before = inventory(host)
    for _ in range(2):
        spares.make(host, replace(specification("standard"), session_id=str(uuid.uuid4())))
    half_made = spares.make(host, specification("nested"))
    (host.spares_dir / half_made.name / state.FILE).unlink()
    assert difference(before, inventory(host))["loop devices"]
    assert reap_command.main(host, []) == 0
    said = capsys.readouterr().out
    assert "Spare sandboxes ended: 3." in said
    assert "run on: 1." in said and "sudo ./lab down --sandboxes" in said
    as_before(host, before)
    assert box.is_alive()
    assert spawn.run(host, box, ["/bin/true"], "root", 40).status == 0


def test_a_stopped_sandbox_leaves_its_files_and_nothing_that_runs(host, capsys):
    kept = specification("standard")
    before, box = inventory(host), sandbox.create(host, kept)
    assert spawn.run(host, box, ["/bin/sh", "-c", "echo mine >/root/mine"], "root", 40).status == 0
    assert reap_command.main(host, ["--sandboxes"]) == 0
    assert "Sandboxes ended: 1." in capsys.readouterr().out
    assert not box.is_alive()
    assert rootfs.disk_path(host, kept.name).exists() and kept.name in slots.leased(host).values()
    left = difference(before, inventory(host))
    assert {"mounts", "loop devices", "processes", "cgroups", "network namespaces"} & set(left) == set(), left

    assert reap_command.main(host, ["--sandboxes"]) == 0, "it may be stopped twice"
    sandbox.delete(host, kept.session_id, "box", keep_disk=True)
    again = sandbox.create(host, kept)
    assert spawn.run(host, again, ["/bin/cat", "/root/mine"], "root", 40).output == "mine\n"
    assert reap_command.main(host, ["--all"]) == 0
    as_before(host, before)


def test_who_runs_beside_the_agent_changes_nothing(host, box, capsys):
    spare = spares.make(host, specification("standard"))
    with duty.alone(host):
        assert reap_command.main(host, ["--all"]) == 1
    assert "stop it first" in capsys.readouterr().err
    assert box.is_alive() and spares.unclaimed(host) == [spare]


def test_what_can_not_be_ended_is_said_and_the_rest_ends(host, monkeypatch, capsys):
    ended, names = spares.discard, [spares.make(host, specification("standard")).name for _ in range(2)]

    def refuse_the_first(settings, spare):
        if spare.name == names[0]:
            raise OSError(5, "Input/output error")
        return ended(settings, spare)
    monkeypatch.setattr(spares, "discard", refuse_the_first)
    assert reap_command.main(host, []) == 1
    assert "Input/output error" in capsys.readouterr().err
    assert [spare.name for spare in spares.unclaimed(host)] == names[:1]
    monkeypatch.undo()
