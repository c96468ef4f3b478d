"""Which spare sandboxes this host keeps, and the thread that makes and removes them.

Theory of operation. Whoever starts a sandbox (``create``) says by that which kind is in use; ``want`` says it before
anybody has clicked (opened.py). Of the ``KINDS`` most recently used kinds the pool keeps up to BULKHEAD_WARM spares
each. What a kind has that was wanted a short while ago stays: one reader who looks into other lessons must not cost a
class that is about to begin its spares. It never takes a place from a student: spares only fill places that are free,
and go as those are taken; they are not counted as used. Nothing is made while a create is under way, and what is made
is made at a low priority, so that a click meets neither our lock nor our load.

``plan`` is the whole policy and touches nothing. One thread (``run``) looks, does one thing, and looks again: the
disk says which spares there are (spares.py), so a restarted agent carries on with those it finds. The kinds are
remembered in this process only; spares that are adopted bring theirs along.

``create``, ``find``, ``living`` and ``delete`` are those of ``sandbox``: ``Sessions`` uses a Pool in its place.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime_agent import grace, launcher, rootfs, sandbox, spares, teardown
from runtime_agent.bundle import Spec
from runtime_agent.capacity import Capacity
from runtime_agent.errors import AgentError
from runtime_agent.settings import GIB, Settings

KINDS, KINDS_REMEMBERED = 8, 32
LATELY_SECONDS = 600.0
FIRST_SPARES = 2
"""What a kind that has just been wanted gets of the places that others fill."""
LOOK_SECONDS = 5.0
SETTLE_SECONDS = 1.0
"""After a create, the student's first second is left alone."""
FREE_MEMORY_BYTES = GIB
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """A spare as the plan sees it."""

    name: str
    key: str
    is_fit: bool


def plan(wanted: Sequence[str], held: Sequence[Held], warm: int, room: int,
         lately: Collection[str] = ()) -> tuple[list[str], str | None]:
    """(names of the spares to remove, key of the next one to make or None).

    ``wanted`` are keys, the most recently used first, of which those in ``lately`` keep what they have, and most who has most;
    ``room`` is how many places of the host are free.
    """
    kept = dict.fromkeys(wanted, 0)
    there = Counter(spare.key for spare in held if spare.is_fit)
    holders = sorted((key for key in wanted if key in lately), key=lambda key: -there[key])
    shares = [*((key, FIRST_SPARES) for key in wanted[:1]), *((key, there[key]) for key in holders),
              *((key, warm) for key in wanted[:KINDS])]
    for key, share in shares:
        kept[key] += max(0, min(share, warm, kept[key] + room - sum(kept.values())) - kept[key])
    surplus, missing = [], dict(kept)
    for spare in held:
        if spare.is_fit and missing.get(spare.key, 0):
            missing[spare.key] -= 1
        else:
            surplus.append(spare.name)
    return surplus, next((key for key in wanted if missing[key]), None)


class Pool:
    """The spares of this host. One per process that makes sandboxes for students."""

    def __init__(self, settings: Settings, capacity: Capacity):
        self.settings, self.capacity = settings, capacity
        self._kinds: dict[str, tuple[Spec, float]] = {}
        """The specification as text -> it, and when it was wanted last."""
        self._lock = threading.Lock()
        self._changed = threading.Event()

    # --- in the place of ``sandbox`` ----------------------------------------------------------------------

    find, living, delete = (staticmethod(function) for function in (sandbox.find, sandbox.living, sandbox.delete))

    def create(self, settings: Settings, spec: Spec, on_stage: sandbox.Announce = lambda stage: None) -> sandbox.Sandbox:
        """``sandbox.create``, from a spare if one fits."""
        grace.hasten()
        if settings.runtime != self.settings.runtime:  # gVisor's have no spares
            return sandbox.create(settings, spec, on_stage)
        self.want(spec)
        return self._create_warm(settings, spec) or sandbox.create(settings, spec, on_stage)

    def _create_warm(self, settings: Settings, spec: Spec) -> sandbox.Sandbox | None:
        """It announces no stage: it is over before anybody could read one."""
        if self.settings.warm == 0 or sandbox.find(settings, spec.session_id, spec.machine):
            return None
        if rootfs.disk_path(settings, spec.name).exists():  # a resume comes for its own disk
            return None
        if sandbox.directory(settings, spec.session_id, spec.machine).exists():
            sandbox.delete(settings, spec.session_id, spec.machine)
        try:
            if (spare := spares.claim(settings, spec)) is None:
                return None
            return spares.begin(settings, spec, spare)
        except (AgentError, OSError, subprocess.SubprocessError) as error:
            log.warning("spare failed session_id=%s machine=%s: %s", spec.session_id, spec.machine, error)
            sandbox.delete(settings, spec.session_id, spec.machine)
            return None

    # --- keeping spares -----------------------------------------------------------------------------------

    def want(self, spec: Spec) -> None:
        """This kind is in use, or will be in a moment."""
        spec = spares.anonymous(spec)
        with self._lock:
            self._kinds.pop(_text(spec), None)
            self._kinds[_text(spec)] = spec, time.monotonic()
            for oldest in list(self._kinds)[:-KINDS_REMEMBERED]:
                del self._kinds[oldest]
        self._changed.set()

    def count(self) -> int:
        return sum(spare.is_fit() for spare in spares.unclaimed(self.settings))

    def run(self, stopped: threading.Event) -> None:
        """Thread body: take over what a former process left, then keep what is wanted."""
        for spare in spares.unclaimed(self.settings):
            self.want(spare.spec)
        while not stopped.is_set():
            try:
                while not stopped.is_set() and self.capacity.is_quiet() and self.step():
                    pass
                launcher.stand_ready(self.settings, self.settings.warm)
            except (AgentError, OSError, subprocess.SubprocessError):
                log.exception("the pool can't go on; it tries again in %g s", LOOK_SECONDS)
            self._changed.wait(LOOK_SECONDS)
            self._changed.clear()
            stopped.wait(SETTLE_SECONDS)

    def step(self) -> bool:
        """Do one thing that brings the pool nearer to what it should be; False if there is none to do now."""
        for name in spares.leftovers(self.settings):
            teardown.discard_spare(self.settings, name)
            log.info("removed what was left of spare=%s", name)
        (kinds, lately), here = self._keys(), {spare.name: spare for spare in spares.unclaimed(self.settings)}
        held = [Held(spare.name, spare.key, spare.is_fit()) for spare in here.values()]
        surplus, missing = plan(list(kinds), held, self.settings.warm, self.capacity.limit - self.capacity.used(), lately)
        if surplus:
            spares.discard(self.settings, here[surplus[0]])
            log.info("discarded spare=%s", surplus[0])
            return True
        if missing is None or _free_memory_bytes() < FREE_MEMORY_BYTES + kinds[missing].memory_bytes:
            return False
        self._make(kinds[missing])
        return True

    def _keys(self) -> tuple[dict[str, Spec], set[str]]:
        """Key -> kind, the most recently used first; and the keys of those wanted lately. A kind that can't be made any more is
        forgotten."""
        with self._lock:
            kinds = list(self._kinds.items())
        found, lately = {}, set()
        for name, (spec, wanted_at) in reversed(kinds):
            try:
                key = spares.key_of(self.settings, spec)
            except AgentError:
                self._forget(name)
                continue
            found[key] = spec
            if time.monotonic() - wanted_at < LATELY_SECONDS:
                lately.add(key)
        return found, lately

    def _make(self, spec: Spec) -> None:
        """One that can't be made is not tried again until somebody wants it again."""
        began = time.monotonic()
        try:
            spare = spares.make(self.settings, spec)
        except AgentError as error:
            log.warning("no spare image=%s: %s", spec.image, error)
            self._forget(_text(spec))
            return
        log.info("made spare=%s image=%s in %.0f ms", spare.name, spec.image, (time.monotonic() - began) * 1000)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._kinds.pop(name, None)


def _text(spec: Spec) -> str:
    return json.dumps(spec.to_state(), sort_keys=True)


def _free_memory_bytes() -> int:
    """MemAvailable of proc(5), which is in KiB."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) << 10
