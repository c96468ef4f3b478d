"""Facts on their way from this host to the site: an outbox on disk, sent in order.

``emit`` only writes a file; a thread sends the files to queue ``web``, oldest first, and removes each once the
broker has it. So neither a kill -9 of the control worker nor an outage of Redis loses an event or changes the
order. What was sent but not yet removed when we died is sent again under the same event id, which is why the
site records an event at most once.

The sequence number is one counter for the whole host: it grows within every session, and there is nothing per
session that would have to be kept after its end. (A session that moves to another host gets a new generation,
which the site orders by first; it travels in the payload.)
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime_agent import metrics, protocol

RETRY_SECONDS = 1.0
STAGE_SECONDS = 0.05
"""How long a stage waits for what comes after it: one that is over before anybody could read it is not sent."""
log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], None]
"""Hands one event (the keyword arguments of web.record_event) to the broker, or raises OSError."""


class Outbox:
    """The event files of one host. Safe to use from several threads and processes."""

    def __init__(self, directory: Path, host: str):
        self.directory, self.host = directory, host
        self.wake = threading.Event()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def emit(self, kind: str, session_id: str, payload: dict[str, Any]) -> None:
        """Record that something happened; it reaches the site as soon as there is a broker."""
        if kind not in protocol.EVENT_KINDS:
            raise ValueError(f"{kind!r} is not an event kind")
        with self._locked():
            seq = self._next_sequence()
            event = {"event_id": str(uuid.uuid4()), "session_id": protocol.check_session_id(session_id),
                     "seq": seq, "host": self.host, "kind": kind, "at": time.time(), "payload": payload}
            _write(self.directory / f"{seq:016d}.json", json.dumps(event))
        metrics.note_event(kind, session_id, payload)
        log.info("event kind=%s session_id=%s seq=%d", kind, session_id, seq)
        self.wake.set()

    def waiting(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The events not yet sent, oldest first. Listed under the lock: no event can appear behind our back
        in a part of the directory that has been read already."""
        with self._locked():
            paths = sorted(self.directory.glob("*.json"))
        for path in paths:
            try:
                event = json.loads(path.read_text())
            except ValueError:  # torn by a power cut; nothing behind it may wait for it
                log.error("torn event, dropped: %s", path.name)
                path.unlink(missing_ok=True)
            else:
                yield path, event

    def send_now(self, send: Send, now: float | None = None) -> bool:
        """Send all that waits and matters still, in order; the first failure stops it and is raised.

        If it is told ``now``, a stage of the last STAGE_SECONDS waits on while nothing has come after it. False if one does.
        """
        waiting, held = list(self.waiting()), False
        overtaken, last = _overtaken_stages([event for _, event in waiting]), {event["session_id"]: event for _, event in waiting}
        for path, event in waiting:
            if event["kind"] == "stage" and _is_young(event, now) and last[event["session_id"]] is event:
                held = True
                continue
            if event["event_id"] not in overtaken:
                send(event)
            path.unlink(missing_ok=True)
        return not held

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.directory / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _next_sequence(self) -> int:
        """Written before the event is, so that a crash between the two leaves a gap and never a repeat. A host that was
        set up anew under its old name, or lost the number with its power, begins with the time, which is more than it ever
        counted to."""
        counter = self.directory / "sequence"
        try:
            seq = int(counter.read_text()) + 1
        except (FileNotFoundError, ValueError):
            seq = time.time_ns() // 1_000_000
        _write(counter, str(seq))
        return seq


def run(outbox: Outbox, send: Send, stopped: threading.Event, failures: tuple[type[Exception], ...]) -> None:
    """Send events until ``stopped``; whatever of ``failures`` the broker raises is retried after a second."""
    is_done = True
    while not stopped.is_set():
        outbox.wake.wait(RETRY_SECONDS if is_done else STAGE_SECONDS)
        outbox.wake.clear()
        try:
            is_done = outbox.send_now(send, time.time())
        except failures as error:
            log.warning("events wait for the broker: %s", error)
            stopped.wait(RETRY_SECONDS)


def _is_young(event: dict[str, Any], now: float | None) -> bool:
    """One from the future is not: the clock was set back."""
    return now is not None and 0 <= now - event["at"] < STAGE_SECONDS


def _overtaken_stages(waiting: list[dict[str, Any]]) -> set[str]:
    """Ids of the stages after which the same run has come further: the site learns nothing from them."""
    found, further = set(), set()
    for event in reversed(waiting):
        run_of = (event["session_id"], event["payload"].get("generation"))
        if event["kind"] == "stage" and run_of in further:
            found.add(event["event_id"])
        elif event["kind"] in ("stage", "ready"):
            further.add(run_of)
    return found


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a file."""
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)
