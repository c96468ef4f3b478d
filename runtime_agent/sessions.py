"""The agent's side of a session, from the create message to ``removed``.

A create is first written down and then worked, so that whatever kills this process, the next one finds the
record and carries on (``recover``); every method may be called again with the same arguments and does its
thing once. The order within one session is kept by a lock per session id.

What the student is told travels as events; what the operator needs is in the log. A create that fails removes
all that it made, and says why.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from runtime_agent import content, progress, protocol, recording, rewind, sandbox, spawn
from runtime_agent.capacity import Capacity, HostFull
from runtime_agent.claims import Claims, NoClaims
from runtime_agent.errors import STUCK, AgentError
from runtime_agent.events import Outbox
from runtime_agent.lab import Lab
from runtime_agent.launch import launch
from runtime_agent.points import Points
from runtime_agent.protocol import terminal_codec
from runtime_agent.records import Kept, Record, Records
from runtime_agent.settings import Settings
from runtime_agent.terminal import Terminal
from runtime_agent.turns import Turns

START_ROWS, START_COLS = 24, 80
log = logging.getLogger(__name__)


class Sessions:
    """All sessions of this host; whoever asks may get Busy. ``machinery`` and ``terminals`` are sandbox and spawn, or fakes."""

    def __init__(self, settings: Settings, outbox: Outbox, capacity: Capacity, records: Records, *,
                 machinery: ModuleType | Any = sandbox, terminals: ModuleType | Any = spawn,
                 facts: dict[str, Any] | None = None, points: Points | None = None):
        self.settings, self.outbox, self.capacity, self.records = settings, outbox, capacity, records
        self.machinery, self.terminals = machinery, terminals
        self.facts, self.points = facts or {}, points or Points(settings)
        self.claims: Claims | NoClaims = NoClaims()
        self.ensure_lab: Callable[[Any], None] = lambda digest: None
        self.on_check: Callable[[str], None] = lambda session_id: None
        self.on_ready: Callable[[str], None] = lambda session_id: None
        self.on_limits: Callable[[Any, Any, Any], None] = lambda session_id, machine, wishes: None
        self.on_places_changed: Callable[[float], None] = lambda wait_seconds: None
        self.turns = Turns()
        self.lock_of = self.turns.lock_of
        """Whoever changes what the disk says of a session holds this."""

    # --- create -------------------------------------------------------------------------------------------

    def create(self, session_id: Any, generation: Any, digest: Any, resume: Any, point: Any = None) -> None:
        """Bring a session to ``ready``, or say ``failed``. Raises HostFull or Busy, and then has done nothing."""
        session_id = protocol.check_session_id(session_id)
        if isinstance(generation, bool) or not isinstance(generation, int) or not isinstance(resume, bool) \
                or not (point is None or (isinstance(point, str) and resume)):
            self._emit_failed(session_id, 0, AgentError("bad-message", "generation, resume or point has a wrong type"))
            return
        with self.turns.take(session_id):
            if self._is_stale(session_id, generation):
                log.info("stale create session_id=%s generation=%d", session_id, generation)
                return
            if not self._has_begun(session_id, generation) and (holder := self.claims.claim(session_id, generation)):
                log.info("another host's session_id=%s generation=%d host=%s", session_id, generation, holder)
                return
            record = Record(session_id, generation, digest, resume, point, accepted_at=time.time())
            try:
                self._create_locked(record)
            except HostFull:
                self.claims.release(session_id, generation)
                raise
            except AgentError as error:
                self._undo(record, error)
            except Exception as error:  # whatever a start breaks on, its student hears of it
                log.exception("start failed session_id=%s", session_id)
                self._undo(record, AgentError("start-failed", repr(error)))

    def _has_begun(self, session_id: str, generation: int) -> bool:
        record = self.records.find(session_id)
        return record is not None and record.generation == generation

    def _is_stale(self, session_id: str, generation: int) -> bool:
        record = self.records.find(session_id)
        if record and record.generation == generation and record.state != "starting":
            self._report_locked(record)
            return True
        newest = max(record.generation if record else -1, self.records.ended_generation(session_id) + 1)
        return generation < newest

    def _create_locked(self, record: Record) -> None:
        older = self.records.find(record.session_id)
        if older and older.generation < record.generation:
            self._remove_machines(record.session_id, keep=record.resume)
        self.ensure_lab(record.lab)
        lab = content.load_lab(self.settings.content_dir, record.lab)
        with self.capacity.placed({(record.session_id, machine) for machine in lab.machines}):
            self.records.save(record)
            if lab.recording:
                recording.begin(self.settings, record.session_id)
            self.on_places_changed(0)
            if record.resume:
                self.records.restore_progress(record.session_id)
                rewind.lay_disks(self, record, lab)
            self._start(record, lab)

    def _start(self, record: Record, lab: Lab) -> None:
        started = time.monotonic()
        self.emit("stage", record, {"stage": "placed"})
        boxes = launch(self.settings, record.session_id, lab, lambda stage: self.emit("stage", record, {"stage": stage}),
                       on_kept_files=rewind.is_on_kept_files(record, lab), machinery=self.machinery,
                       terminals=self.terminals)
        if any("waiting_shell" not in boxes[machine].state for machine in lab.terminals):  # which is there at once
            self.emit("stage", record, {"stage": "shell"})
        for number, machine in enumerate(lab.terminals):
            self.terminals.open_terminal(self.settings, boxes[machine], number, START_ROWS, START_COLS)
        record.state, record.boot_ms = "ready", round((time.monotonic() - started) * 1000)
        self.records.save(record)
        self._emit_ready(record)
        self.on_ready(record.session_id)

    # --- everything later ---------------------------------------------------------------------------------

    def open_terminal(self, session_id: Any, number: Any, machine: Any, rows: Any, cols: Any) -> None:
        """Open (or find open) one more terminal and say so; one that can't be opened is said to be closed."""
        protocol.terminal_id(session_id, number)
        rows, cols = terminal_codec.clamp_size(int(rows), int(cols))
        with self.turns.take(session_id):
            record = self.records.find(session_id)
            if record is None or machine not in self.records.made(session_id):
                log.warning("no sandbox for a terminal session_id=%s machine=%r", session_id, machine)
                return
            is_open = False
            try:
                if box := self.machinery.find(self.settings, session_id, machine):
                    is_open = bool(self.terminals.open_terminal(self.settings, box, number, rows, cols))
            except AgentError as error:
                log.warning("terminal not opened session_id=%s number=%d: %s", session_id, number, error)
            self.emit("terminal", record, {"number": number, "machine": machine,
                                           "state": "open" if is_open else "closed", "status": None})

    def close_terminal(self, session_id: Any, number: Any) -> None:
        """Hang up a terminal and say that it is closed; one that is not there is closed already."""
        protocol.terminal_id(session_id, number)
        with self.turns.take(session_id):
            record = self.records.find(session_id)
            for machine in self.records.made(session_id) if record else ():
                box = self.machinery.find(self.settings, session_id, machine)
                if box is not None and self.terminals.hang_up(box, number):
                    self.emit("terminal", record, {"number": number, "machine": machine, "state": "closed", "status": None})

    def check(self, session_id: Any) -> None:
        self.on_check(protocol.check_session_id(session_id))

    def delete(self, session_id: Any, keep: Any, newest: Any = None) -> None:
        """End a session on this host, whatever is left of it, and say ``removed``. With ``newest`` only a run of that
        generation or an older one: a delete that comes late must not end what was started after it was sent, nor drop what
        that has kept."""
        session_id = protocol.check_session_id(session_id)
        with self.turns.take(session_id):
            record = self.records.find(session_id)
            if record and isinstance(newest, int) and record.generation > newest:
                log.info("stale delete session_id=%s generation=%d", session_id, newest)
                return
            generation = record.generation if record else max(self.records.ended_generation(session_id), 0)
            keep = bool(keep) or (isinstance(newest, int) and generation > newest)
            self._remove_machines(session_id, keep)
            self.records.bury(session_id, generation)
            self.outbox.emit("removed", session_id, {"kept": keep, "generation": generation,
                                                     "bytes": self.records.bytes_of(session_id)})
        self._note_free_places()

    def drop_kept(self, kept: Kept) -> None:
        """Delete the files of an ended session to make room, and say so; one that has been resumed is left alone."""
        with self.lock_of(kept.session_id):
            if self.records.find(kept.session_id) is None:
                self._remove_machines(kept.session_id, keep=False)
                self.outbox.emit("removed", kept.session_id, {"kept": False, "generation": kept.generation, "bytes": 0,
                                                              "reason": "made-room"})

    def report(self, session_id: Any) -> None:
        """Say again how the session stands, for a site that may have missed it."""
        session_id = protocol.check_session_id(session_id)
        with self.turns.take(session_id):
            record = self.records.find(session_id)
            if record is None:
                generation = max(self.records.ended_generation(session_id), 0)
                self._emit_failed(session_id, generation, AgentError("lost", "this host knows no such session"))
            else:
                self._report_locked(record)

    # --- telling ------------------------------------------------------------------------------------------

    def emit(self, kind: str, record: Record, payload: dict[str, Any]) -> None:
        self.outbox.emit(kind, record.session_id, {**payload, "generation": record.generation})

    def _emit_ready(self, record: Record) -> None:
        self.emit("ready", record, {"boot_ms": record.boot_ms,
                                    "facts": {"kernel": os.uname().release, **self.facts},
                                    "terminals": self._open_terminals(record.session_id),
                                    "points": self.points.told(record.session_id)})

    def _open_terminals(self, session_id: str) -> list[dict[str, Any]]:
        boxes = (self.machinery.find(self.settings, session_id, machine) for machine in self.records.made(session_id))
        return [{"number": int(number), "machine": box.machine} for box in boxes if box
                for number, entry in box.state.get("terminals", {}).items() if Terminal.from_state(entry).is_alive()]

    def _emit_failed(self, session_id: str, generation: int, error: AgentError) -> None:
        self.outbox.emit("failed", session_id, {"reason": error.reason, "generation": generation,
                                                "detail": str(error)[:protocol.MAX_TEXT_CHARS]})

    def _report_locked(self, record: Record) -> None:
        if record.state == "starting":
            self.emit("stage", record, {"stage": "placed"})
            return
        if record.state == "exited":
            self._emit_failed(record.session_id, record.generation, AgentError("stopped", "exited before"))
            return
        self._emit_ready(record)
        found = progress.load(self.records.progress_path(record.session_id))
        for kind, texts, field in (("task_passed", found.passed, "saw"), ("task_pending", found.pending, "why"),
                                   ("task_broken", found.broken, "why")):
            for task, text in texts.items():
                self.emit(kind, record, {"task": task, field: text})

    # --- undoing ------------------------------------------------------------------------------------------

    def _undo(self, record: Record, error: AgentError) -> None:
        """Leave nothing of a failed start but the disk that a resume came for. What can't be removed now stays on record,
        so that the site sees it and asks for its end until it is gone; until then nobody else gets its ids."""
        log.warning("create failed session_id=%s reason=%s: %s", record.session_id, error.reason, error)
        try:
            self._remove_machines(record.session_id, keep=record.resume)
            self.records.bury(record.session_id, record.generation)
        except STUCK as stuck:
            log.error("can't be removed now session_id=%s: %s", record.session_id, stuck)
            record.state = "exited"
            self.records.save(record)
        self._emit_failed(record.session_id, record.generation, error)
        self._note_free_places()

    def _note_free_places(self) -> None:
        self.capacity.note_removed()
        self.on_places_changed(0)

    def _remove_machines(self, session_id: str, keep: bool) -> None:
        """Raises one of STUCK when as much as possible is gone."""
        stuck = None
        for machine in self.records.machines(session_id):
            try:
                self.machinery.delete(self.settings, session_id, machine, keep_disk=keep)
            except STUCK as error:
                stuck = error
        if stuck:
            self.turns.let_rest(session_id)
            raise stuck
        if keep:
            self.records.keep(session_id)
        self.records.remove(session_id, keep)

