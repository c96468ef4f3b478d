"""Spare sandboxes on the disk: made and set up whole but for the shell's first instruction, claimed once, never recycled.

    <agent>/spares/<name>/config.json, conmon/, terminals/    what its container was made from and keeps for life
    <agent>/spares/<name>/state.json                          there as long as nobody has claimed it

A spare is a sandbox of a session that nobody has. It has a name of its own; PID 1, which only waits, runs, a shell on
a terminal is stopped before its first instruction, and the lab's set-up has run, so that it comes before what the shell reads.
With gVisor, and for machines on a network, which come in groups of which one is looked at first, the container is
created and not started. A claim is one rename of state.json into the session's folder. The kernel lets one claimer
win, and from that instant the session's ``delete`` finds the container by its state, whatever is killed when. What
follows (ids and disk get the session's name, PID 1 runs) needs no order but its own, and a claim that gets no further
is a half-made sandbox like any other.

A spare fits if everything it was made from is what would be used now: ``key_of`` is the digest of that.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime_agent import (
    bundle,
    conmon,
    gvisor,
    images,
    launch,
    proc,
    profiles,
    rootfs,
    sandbox,
    slots,
    spawn,
    state,
    teardown,
)
from runtime_agent.bundle import Spec
from runtime_agent.errors import AgentError
from runtime_agent.settings import Settings

NOBODY = "00000000-0000-4000-8000-000000000000"
NICE = 10
MAX_AGE_SECONDS = 24 * 3600.0
"""A set-up may make what does not last for ever, a certificate for one."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spare:
    """One that nobody had claimed when it was read."""

    name: str
    key: str
    spec: Spec
    runtime: str
    started: conmon.Started
    start_ticks: int
    made_at: float
    slot: int
    ahead: dict[str, Any]
    """What PID 1 runs for already, as it goes into a sandbox's state: "waiting_shell" and "is_set_up"; or nothing."""

    def is_fit(self) -> bool:
        """Do both its conmon and the process that is or will be PID 1 still wait, and not for too long?"""
        return (0 <= time.time() - self.made_at < MAX_AGE_SECONDS
                and proc.is_alive(self.started.conmon_pid, self.started.conmon_start_ticks)
                and proc.is_alive(self.started.pid, self.start_ticks))


def anonymous(spec: Spec) -> Spec:
    """What two sessions have in common that could use the same spare."""
    return replace(spec, session_id=NOBODY)


def key_of(settings: Settings, spec: Spec) -> str:
    """The digest of all that a sandbox of ``spec`` is made from now. Raises AgentError as ``sandbox.prepare`` does."""
    parts = [_configuration(json.dumps(anonymous(spec).to_state(), sort_keys=True)), settings.runtime, _bundle(spec),
             images.current(settings, spec.image), str(images.prepare_guest(settings).stat().st_ino)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _bundle(spec: Spec) -> str:
    """The lab's folder as it lies there now. One that was withdrawn and published again is another: what a spare has mounted of
    the former is empty, and none can be made while it is away."""
    if spec.checks_dir is None:
        return ""
    try:
        return str(spec.checks_dir.parent.stat().st_ino)
    except OSError as error:
        raise AgentError("unknown-lab", f"it was withdrawn: {error}") from error


@functools.lru_cache(maxsize=64)
def _configuration(text: str) -> str:
    """The specification and what this version of the agent makes of it: an upgrade leaves no old rules in a spare."""
    spec = Spec.from_state(json.loads(text))
    storage = Path("storage") if profiles.find(spec.profile).is_nested else None
    places = bundle.Places(Path("root"), Path("guest"), spec.checks_dir and Path("checks"), storage)
    shell = bundle.process(spec, spawn.WAITING_SHELL, spec.user, {}, True)
    return text + json.dumps([bundle.config(spec, 0, places, ""), shell])


def make(settings: Settings, spec: Spec) -> Spare:
    """Make one more for ``spec``. Raises AgentError, and then nothing is left of it."""
    key, made_at = key_of(settings, spec), time.time()  # first: what changes meanwhile makes it stale
    own = replace(spec, session_id=str(uuid.uuid4()))
    home = settings.spares_dir / own.name
    home.mkdir(parents=True, mode=0o700)  # before anything else: what is left of it is found by it
    try:
        slot = slots.lease(settings, own.name)
        sandbox.prepare(settings, own, home=home)
        started = spawn.create_container(settings, own.name, home, nice=NICE)
        ticks = proc.start_ticks(started.pid)
        if ticks is None:
            raise AgentError("start-failed", "the spare's first process ended at once")
        ahead = _run(settings, own, started.pid, home) if _can_run(settings, own) else {}
        state.save(home, {
            "container": own.name, "key": key, "spec": own.to_state(), "runtime": settings.runtime,
            "waiting_pid": started.pid, "waiting_start_ticks": ticks, "conmon_pid": started.conmon_pid,
            "start_time_ticks": started.conmon_start_ticks, "made_at": made_at, "slot": slot, "ahead": ahead})
    except BaseException:
        teardown.discard_spare(settings, own.name)
        raise
    return Spare(own.name, key, own, settings.runtime, started, ticks, made_at, slot, ahead)


def _can_run(settings: Settings, spec: Spec) -> bool:
    return settings.runtime != gvisor.RUNTIME and not spec.interfaces


def _run(settings: Settings, own: Spec, pid: int, home: Path) -> dict[str, Any]:
    """All that needs no student. The set-up is not niced: what it leaves running would be niced for good."""
    sandbox.run_init(settings, own, own.name, pid)
    shell = spawn.park_shell(settings, own, home, NICE)
    if own.setup:
        launch.set_up(settings, sandbox.Sandbox(settings, own, home), own.setup)
    return {"waiting_shell": shell.to_state(), "is_set_up": True}


def unclaimed(settings: Settings) -> list[Spare]:
    """Every spare that can still be claimed, alive or not, the oldest first."""
    return sorted(_each(settings), key=lambda spare: spare.made_at)


def _each(settings: Settings) -> Iterator[Spare]:
    """The same in any order, each read when it is asked for: a claim takes the first that fits, and there may be hundreds.
    By chance, so that those who claim at once don't all reach for the same one."""
    names = os.listdir(settings.spares_dir) if settings.spares_dir.exists() else []
    random.shuffle(names)
    for name in names:
        if known := state.load(settings.spares_dir / name):
            yield _read(known)


def _read(found: dict[str, Any]) -> Spare:
    started = conmon.Started(found["conmon_pid"], found["start_time_ticks"], found["waiting_pid"])
    return Spare(found["container"], found["key"], Spec.from_state(found["spec"]), found["runtime"], started,
                 found["waiting_start_ticks"], found.get("made_at", 0.0), found.get("slot", -1), found.get("ahead", {}))


def claim(settings: Settings, spec: Spec) -> Spare | None:
    """Give the session of ``spec`` a fitting spare that is alive, and nobody else ever; None if there is none.

    The session has no sandbox of that name. From here on the caller deletes the session's sandbox if anything fails.
    """
    key, home = key_of(settings, spec), sandbox.directory(settings, spec.session_id, spec.machine)
    for spare in _each(settings):
        if spare.key != key or not spare.is_fit():
            continue
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.rename(settings.spares_dir / spare.name / state.FILE, home / state.FILE)
        except FileNotFoundError:  # somebody was faster
            continue
        log.info("claimed spare=%s session_id=%s machine=%s", spare.name, spec.session_id, spec.machine)
        return spare
    return None


def begin(settings: Settings, spec: Spec, spare: Spare) -> sandbox.Sandbox:
    """Start a claimed spare as the sandbox of ``spec``. Raises AgentError or OSError; the caller deletes."""
    slots.hand_over(settings, spare.slot, spare.name, spec.name)  # before the disk: a disk never outlives the lease of its ids
    os.rename(rootfs.disk_path(settings, spare.name), rootfs.disk_path(settings, spec.name))
    for pid in (spare.started.pid, spare.started.conmon_pid):
        os.setpriority(os.PRIO_PROCESS, pid, 0)
    return sandbox.begin(settings, spec, spare.name, spare.started, spare.ahead)


def discard(settings: Settings, spare: Spare) -> bool:
    """Remove one that nobody has claimed; False if somebody just has. It is out of reach before anything is touched."""
    home = settings.spares_dir / spare.name
    try:
        os.rename(home / state.FILE, home / "discarded.json")
    except FileNotFoundError:
        return False
    teardown.discard_spare(replace(settings, runtime=spare.runtime), spare.name)
    return True


def leftovers(settings: Settings) -> list[str]:
    """What was begun as a spare and is neither one nor a session's: its maker was killed. Ask only when none is made.

    A folder without state.json is looked at first and the sessions after it: a claim goes from here to there, and a
    session's state is the last thing that its ``delete`` removes.
    """
    orphans = {home.name for home in settings.spares_dir.glob("*/") if state.load(home) is None}
    if not orphans:
        return []
    states = (state.load(file.parent) or {} for file in settings.sandboxes_dir.glob(f"*/*/{state.FILE}"))
    return sorted(orphans - {found.get("container") for found in states})
