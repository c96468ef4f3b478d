"""Keeping every session's history, cheaply while nobody looks.

A session is looked at when a command has ended or its processes were seen to change, at most every two seconds; at rest
its process numbers are compared every ten seconds and everything is looked at once a minute. While a panel is open, the
panel's own looks are noted and none is made here. In a rush, when students wait for their start, looks are rarer.
Histories are written beside the session's record, so that they outlive a restart of the agent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runtime_agent import sandbox, xray
from runtime_agent.errors import AgentError
from runtime_agent.marks import TerminalMark
from runtime_agent.records import SITE, Records
from runtime_agent.settings import Settings
from runtime_agent.xray import cgroups, looks
from runtime_agent.xray.history import Document, History, now_ms

TICK_SECONDS = 0.5
SPACING_SECONDS, RUSH_SPACING_SECONDS = 2.0, 20.0
ROUND_SECONDS = 10.0
REST_SECONDS = 60.0
SLOW_SECONDS = 10.0
log = logging.getLogger(__name__)


@dataclass
class Subject:
    """One session: its history, and what is known between two looks at it."""

    history: History
    last_look: float
    groups: list[Any] = field(default_factory=list)
    pids: frozenset[int] = frozenset()
    is_hurried: bool = True
    last_slow: float = -1e9


class Historian:
    """``work`` is a thread body; everything else may be called from any thread."""

    def __init__(self, settings: Settings, records: Records, *, find: Callable[..., Any] = sandbox.find,
                 collect: Callable[..., Any] = xray.collect, clock: Callable[[], float] = time.monotonic,
                 now: Callable[[], int] = now_ms, is_watched: Callable[[str], bool] = lambda session_id: False,
                 is_rush: Callable[[], bool] = lambda: False):
        self.settings, self.records, self.find, self.collect = settings, records, find, collect
        self.clock, self.now, self.is_watched, self.is_rush = clock, now, is_watched, is_rush
        self.subjects: dict[str, Subject] = {}
        self.lock = threading.Lock()
        self.next_round = 0.0

    # --- what others tell ---------------------------------------------------------------------------------

    def hurry(self, session_id: str) -> None:
        """A command has ended or processes have changed: look soon."""
        if subject := self.subjects.get(session_id):
            subject.is_hurried = True

    def take(self, mark: TerminalMark) -> None:
        """What the bridge saw in a terminal."""
        with self.lock:
            subject = self.subjects.get(mark.session_id) or self._subject(mark.session_id)
            if subject and mark.terminal >= 0:
                if mark.is_done:
                    subject.history.end_command(mark.terminal, mark.status, self.now())
                else:
                    subject.history.begin_command(mark.terminal, mark.text, self.now())
        if mark.is_done:
            self.hurry(mark.session_id)

    def note(self, session_id: str, machines: Document) -> Document:
        """A look that was made for a panel; the events so far, to be sent with it."""
        with self.lock:
            if subject := self.subjects.get(session_id) or self._subject(session_id):
                subject.history.note(machines, self.now())
                subject.last_look, subject.is_hurried = self.clock(), False
                return subject.history.events
        return {}

    def body(self, session_id: str) -> bytes:
        """The frames so far, for a panel that has just opened."""
        with self.lock:
            subject = self._subject(session_id)
            return (subject.history if subject else History(0)).body(self.now())

    def _subject(self, session_id: str) -> Subject | None:
        """None for a session that is not the site's or not ready. A new generation begins anew."""
        record = self.records.find(session_id)
        if record is None or record.state != "ready" or record.owner != SITE:
            return None
        known = self.subjects.get(session_id)
        if known is None or known.history.generation != record.generation:
            known = self.subjects[session_id] = Subject(self._load(session_id, record.generation),
                                                        self.clock() - SPACING_SECONDS)
        return known

    # --- looking ------------------------------------------------------------------------------------------

    def work(self, stopped: threading.Event) -> None:
        while not stopped.wait(TICK_SECONDS):
            self.look_around()
        self.save()

    def look_around(self) -> None:
        is_round = self.clock() >= self.next_round
        if is_round:
            self.next_round = self.clock() + ROUND_SECONDS
            self._count_sessions()
        for session_id, subject in list(self.subjects.items()):
            try:
                if not self.is_watched(session_id) and self._is_due(subject, is_round):
                    self._look(session_id, subject)
            except (OSError, AgentError) as error:
                log.warning("history not kept session_id=%s: %s", session_id, error)
            except Exception:  # what one sandbox's oddity breaks must not stop the others' histories
                log.exception("history not kept session_id=%s", session_id)
        if is_round:
            self.save()

    def _count_sessions(self) -> None:
        """Who has come and who has gone; a session's file goes with its record."""
        with self.lock:
            ready = {record.session_id for record in self.records.all() if self._subject(record.session_id)}
            for session_id in self.subjects.keys() - ready:
                del self.subjects[session_id]

    def _is_due(self, subject: Subject, is_round: bool) -> bool:
        waited = self.clock() - subject.last_look
        if waited < RUSH_SPACING_SECONDS and self.is_rush():
            return False
        if subject.is_hurried and waited >= SPACING_SECONDS:
            return True
        if not is_round:
            return False
        pids = frozenset(pid for group in subject.groups for pid in cgroups.pids(group))
        return not subject.groups or pids != subject.pids or waited >= REST_SECONDS

    def _look(self, session_id: str, subject: Subject) -> None:
        now = self.clock()
        boxes = looks.boxes(self.settings, self.records, session_id, self.find)
        is_slow = now - subject.last_slow >= SLOW_SECONDS
        subject.last_look, subject.is_hurried = now, False
        subject.last_slow = now if is_slow else subject.last_slow
        subject.groups = [looks.group_of(box) for box in boxes.values()]
        subject.pids = frozenset(pid for group in subject.groups for pid in cgroups.pids(group))
        machines = looks.look(boxes, subject.history.machines, is_slow, self.collect)
        with self.lock:
            subject.history.note(machines, self.now())

    # --- keeping ------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write what has changed. A session that was deleted meanwhile is not brought back."""
        for session_id, subject in list(self.subjects.items()):
            with self.lock:
                text, is_saved = ("", True) if subject.history.is_saved else (subject.history.to_text(), False)
                subject.history.is_saved = True
            path = self.records.history_path(session_id)
            try:
                if not is_saved and self.records.find(session_id):
                    path.with_suffix(".new").write_text(text)
                    os.replace(path.with_suffix(".new"), path)
                    if self.records.find(session_id) is None:  # deleted meanwhile, and by now perhaps begun again
                        path.unlink(missing_ok=True)
                        with contextlib.suppress(OSError):
                            path.parent.rmdir()
            except OSError as error:
                log.warning("history not written session_id=%s: %s", session_id, error)

    def _load(self, session_id: str, generation: int) -> History:
        try:
            found = History.from_text(self.records.history_path(session_id).read_text())
            return found if found.generation == generation else History(generation)
        except FileNotFoundError:
            return History(generation)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("history not read session_id=%s: %s", session_id, error)
            return History(generation)
