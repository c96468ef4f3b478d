"""Programs that never answer: a runtime in each of its verbs, conmon, mkfs. A start ends in bounded time with words, leaves
no process behind, keeps its ids for as long as anything of it may live, and holds up nobody else."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from runtime_agent import conmon, rootfs, sandbox, slots, spawn
from runtime_agent.errors import AgentError
from tests.instance import PATIENCE, wait_until
from tests.sandbox import inventory
from tests.sandbox.machines import specification

pytestmark = pytest.mark.sandbox
HANGS_SECONDS = 2.5 * PATIENCE
"""In the place of START_SECONDS and its like while something hangs; what does not hang on the way has to be as fast."""
FAKE = """#!/bin/sh
{{ read -r name; read -r verbs; }} <{folder}/hangs
for verb in $verbs; do
    case " $* " in *" $verb "*"$name"*) echo "$$" >>{folder}/pids; exec sleep 1000;; esac
done
exec {program} "$@"
"""


class Fakes:
    """``hang(verbs, name)``: from now on the programs hang when they are called for these, until ``recover``."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch):
        self.folder, self.patch, self.usual = folder, patch, (conmon.START_SECONDS, rootfs.MKFS_SECONDS)
        self.recover()
        for program in ("/usr/bin/crun", "/usr/bin/conmon", "/usr/sbin/mkfs.ext4"):
            file = folder / Path(program).name
            file.write_text(FAKE.format(folder=folder, program=program))
            file.chmod(0o755)

    def hang(self, verbs: str, name: str = "", seconds: float = HANGS_SECONDS) -> None:
        (self.folder / "hangs").write_text(f"{name}\n{verbs}\n")
        self.wait(seconds, seconds)

    def recover(self) -> None:
        (self.folder / "hangs").write_text("\n\n")
        self.wait(*self.usual)

    def wait(self, start: float, mkfs: float) -> None:
        self.patch.setattr(conmon, "START_SECONDS", start)
        self.patch.setattr(rootfs, "MKFS_SECONDS", mkfs)

    def met(self) -> list[int]:
        """The pids of those that have hung."""
        file = self.folder / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def assert_gone(self) -> None:
        assert self.met(), "nothing hung"
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in self.met()), 10, f"{self.met()} to go")


@pytest.fixture
def fakes(agent, tmp_path, monkeypatch):
    monkeypatch.setattr(conmon, "PATH", f"{tmp_path}:{conmon.PATH}")
    monkeypatch.setitem(rootfs.ENVIRONMENT, "PATH", f"{tmp_path}:{rootfs.ENVIRONMENT['PATH']}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Fakes(tmp_path, monkeypatch)


@pytest.fixture
def before(agent, make):
    """What this host has after a first sandbox, which brings folders that stay."""
    first = make()
    sandbox.delete(agent, first.session_id, first.machine)
    return look(agent)


def look(agent):
    found = inventory.inventory(agent)
    del found["descriptors"]  # the sealed copies of the fakes
    return found


def assert_nothing_left(agent, before):
    wait_until(lambda: not inventory.difference(before, look(agent)), 10, "the host to be as before")


@pytest.mark.parametrize(("verb", "words"), [
    ("create", "the runtime did not answer within"), ("start", "crun start did not end within"),
    ("--api-version", "the runtime did not answer within"), ("-q", "mkfs did not end within")])
def test_a_start_ends_in_time_says_what_hung_and_leaves_nothing(agent, before, fakes, verb, words):
    spec, began = specification("standard"), time.monotonic()
    fakes.hang(verb)
    with pytest.raises(AgentError, match=words):
        sandbox.create(agent, spec)
    assert time.monotonic() - began < HANGS_SECONDS + 10 * PATIENCE
    fakes.assert_gone()
    assert_nothing_left(agent, before)


def test_a_delete_that_hangs_keeps_the_ids_until_one_gets_through(agent, before, fakes, make):
    box, began = make(), time.monotonic()
    fakes.hang("delete", box.container)
    for _ in range(2):
        with pytest.raises(AgentError, match="crun delete did not end within"):
            sandbox.delete(agent, box.session_id, box.machine)
        assert box.spec.name in slots.leased(agent).values()
    assert time.monotonic() - began < 2 * HANGS_SECONDS + 10 * PATIENCE
    assert not box.is_alive()
    fakes.recover()
    sandbox.delete(agent, box.session_id, box.machine)
    fakes.assert_gone()
    assert_nothing_left(agent, before)


def test_a_start_that_hangs_in_every_verb_keeps_its_ids_until_the_runtime_is_back(agent, before, fakes):
    spec = specification("standard")
    fakes.hang("start delete")
    with pytest.raises(AgentError, match="crun delete did not end within"):
        sandbox.create(agent, spec)
    assert spec.name in slots.leased(agent).values()
    fakes.recover()
    sandbox.delete(agent, spec.session_id, spec.machine)
    fakes.assert_gone()
    assert_nothing_left(agent, before)


def test_commands_and_terminals_end_in_time_and_the_sandbox_lives_on(agent, fakes, make):
    box, began = make(), time.monotonic()
    fakes.hang("exec", box.container)
    with pytest.raises(AgentError, match="the runtime did not answer within"):
        spawn.open_terminal(agent, box, 0, 24, 80)
    with pytest.raises(AgentError, match="crun exec"):
        spawn.run(agent, box, ["/bin/true"], "root", HANGS_SECONDS)
    assert time.monotonic() - began < 2 * HANGS_SECONDS + 25 * PATIENCE
    fakes.assert_gone()
    fakes.recover()
    assert spawn.run(agent, box, ["/bin/true"], "root", 20 * PATIENCE).status == 0
    assert spawn.open_terminal(agent, box, 0, 24, 80).is_alive()


def test_others_start_and_end_while_one_hangs(agent, before, fakes, make):
    spec, said = specification("standard"), []
    fakes.hang("create", spec.name, seconds=60)

    def start() -> None:
        try:
            sandbox.create(agent, spec)
        except AgentError as error:
            said.append(str(error))
    hanging = threading.Thread(target=start)
    hanging.start()
    wait_until(fakes.met, 20, "the runtime to hang")
    for _ in range(3):
        other = make()
        assert spawn.run(agent, other, ["/bin/true"], "root", 20 * PATIENCE).status == 0
        sandbox.delete(agent, other.session_id, other.machine)
    assert hanging.is_alive()
    for pid in fakes.met():
        os.kill(pid, 9)
    hanging.join(30)
    assert Counter(said).total() == 1
    assert_nothing_left(agent, before)
