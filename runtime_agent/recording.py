"""Recording what a terminal prints, as asciicast v2 (docs.asciinema.org, "asciicast v2"), on the worker's disk.

Output and sizes only: what is typed passes here as little as a password does that a program does not echo. The bridge
says how far the output has come, which costs a list entry; every two seconds the bytes are taken from the ring and
written. How far the file has come stands in the ring in one word, so a bridge that is killed loses and doubles nothing.
A flood is left out and named: what does not fit into a budget of BURST_BYTES, refilled slowly, is not recorded.

A session is recorded if its folder exists: who creates the session makes it, or does not (runtime_agent.sessions).
"""

from __future__ import annotations

import asyncio
import codecs
import fcntl
import json
import logging
import os
import re
import shutil
import struct
import termios
import time
from pathlib import Path
from typing import Any

from runtime_agent import protocol
from runtime_agent.ring import Ring
from runtime_agent.terminal import Terminal

WRITE_SECONDS = 2.0
MAX_FILE_BYTES, MAX_FILES = 4 << 20, 12
BURST_BYTES, BYTES_PER_SECOND, TAIL_BYTES = 256 * 1024, 16 * 1024, 4096
SIZE_BITS = 24
_NAME = re.compile(r"[0-7]-\d{13}\.cast")
log = logging.getLogger(__name__)


def folder_of(settings: Any, session_id: str) -> Path:
    return Path(settings.state_dir) / "agent" / "recordings" / protocol.check_session_id(session_id)


def begin(settings: Any, session_id: str) -> None:
    """Let the terminals of this session be recorded. Repeats safely."""
    folder_of(settings, session_id).mkdir(parents=True, exist_ok=True, mode=0o700)


def drop(settings: Any, session_id: str) -> None:
    """Delete the session's recordings, and record nothing more of it. Repeats safely."""
    shutil.rmtree(folder_of(settings, session_id), ignore_errors=True)


def recorder_of(settings: Any, terminal_id: str, found: Terminal, ring: Ring, master: int) -> Recorder | None:
    """For the life of one shell; None if its session is not recorded or the disk refuses."""
    session_id, number = protocol.split_terminal_id(terminal_id)
    folder = folder_of(settings, session_id)
    if not folder.is_dir():
        return None
    path = folder / f"{number}-{int(found.opened_at * 1000):013}.cast"
    for old in sorted(folder.glob("*.cast"), key=lambda file: file.name[2:])[:1 - MAX_FILES]:
        if old != path:
            old.unlink(missing_ok=True)
    try:
        return Recorder(path, ring, found.opened_at, found.machine, _size_of(master))
    except OSError as error:
        log.warning("not recorded session_id=%s: %s", terminal_id, error)
        return None


def listed(settings: Any, session_id: str) -> list[dict[str, Any]]:
    """What there is of one session, the oldest first: name, terminal, machine, opened_at, seconds, bytes."""
    found = []
    for path in sorted(folder_of(settings, session_id).glob("*.cast"), key=lambda file: file.name[2:]):
        with path.open() as file:
            header = file.readline()
        if header and _NAME.fullmatch(path.name):
            opened_at, state = int(path.name[2:-5]) / 1000, path.stat()
            found.append({"name": path.name, "terminal": int(path.name[0]), "machine": json.loads(header)["title"],
                          "opened_at": opened_at, "seconds": max(0, round(state.st_mtime - opened_at)),
                          "bytes": state.st_size})
    return found


def read(settings: Any, name: bytes) -> bytes:
    """The list of "<session id>/" as JSON, or the file "<session id>/<name>". OSError or ValueError if there is none."""
    session_id, _, file = name.decode().partition("/")
    if not file:
        return json.dumps(listed(settings, session_id)).encode()
    if not _NAME.fullmatch(file):
        raise ValueError(f"no recording is called {file!r}")
    return (folder_of(settings, session_id) / file).read_bytes()


class Recorder:
    """Appends to one file what the ring takes in; call from the event loop. ``close`` writes the rest."""

    def __init__(self, path: Path, ring: Ring, opened_at: float, machine: str, size: tuple[int, int]):
        self.path, self.ring, self.opened_at = path, ring, opened_at
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.offset, self.bytes = ring.recorded >> SIZE_BITS, ring.recorded & ((1 << SIZE_BITS) - 1)
        # What was written and not counted comes again from the ring.
        os.ftruncate(self.file, min(self.bytes, os.fstat(self.file).st_size))
        self.size, self.budget, self.skipped = size, float(BURST_BYTES), 0
        self.filled_at = self.last = time.time()
        self.due: list[tuple[float, int, tuple[int, int] | None]] = []
        self.timer: asyncio.TimerHandle | None = None
        if not self.bytes:
            rows, cols = size
            self._append([{"version": 2, "width": cols, "height": rows, "timestamp": int(opened_at), "title": machine,
                           "env": {"TERM": "xterm-256color"}}])
        if ring.head > self.offset:
            self.note(ring.head)

    def note(self, offset: int, size: tuple[int, int] | None = None) -> None:
        """The output has come to ``offset``, or the window is ``size`` (rows, columns) from there on."""
        self.due.append((time.time(), offset, size))
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self.write)

    def resize(self, rows: int, cols: int) -> None:
        if (rows, cols) != self.size:
            self.size = (rows, cols)
            self.note(self.ring.head, self.size)

    def close(self) -> None:
        if self.file >= 0:
            for _ in range(2):  # the second time for the end of a flood
                self.due.append((time.time(), self.ring.head, None))
                self.write()
            os.close(self.file)
        self.file = -1
        if self.timer:
            self.timer.cancel()

    def write(self) -> None:
        """Write what is due."""
        self.timer, due, self.due = None, self.due, []
        if self.file < 0 or not due or self.bytes >= MAX_FILE_BYTES:
            return
        try:
            self._append(self._events(due))
        except OSError as error:
            log.warning("recording ends %s: %s", self.path.name, error)
            os.close(self.file)
            self.file = -1
        if self.ring.head - self.offset > 4 and self.timer is None and self.file >= 0:
            self.note(self.ring.head)  # the end of a flood

    def _events(self, due: list[tuple[float, int, tuple[int, int] | None]]) -> list[Any]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        is_flood, events = self._is_flood(), []
        if not is_flood and self.skipped:
            events.append(self._remark(f"{self.skipped} bytes not recorded"))
            self.offset += self.ring.since(self.offset, TAIL_BYTES).find(b"\n") + 1
            self.skipped = 0
        for at, offset, size in due:
            if not is_flood and offset > self.offset:
                events.append([self._at(at), "o", decoder.decode(self.ring.since(self.offset, offset - self.offset))])
                self.offset = offset
            if size:
                events.append([self._at(at), "r", f"{size[1]}x{size[0]}"])
        self.offset -= len(decoder.getstate()[0])  # a character that is cut is written when it is whole
        return [event for event in events if event[2]]

    def _is_flood(self) -> bool:
        """Leave out what the budget does not cover, but for its end: that is written when the flood is over."""
        now = time.time()
        self.budget = min(BURST_BYTES, self.budget + (now - self.filled_at) * BYTES_PER_SECOND)
        self.filled_at = now
        pending = self.ring.head - self.offset
        if pending <= self.budget and self.offset >= self.ring.start:
            self.budget -= pending
            return False
        left_out = pending - min(TAIL_BYTES, pending)
        self.skipped += left_out
        self.offset += left_out
        self.budget = max(self.budget, TAIL_BYTES)
        return True

    def _remark(self, words: str) -> list[Any]:
        return [self._at(time.time()), "o", f"\r\n\x1b[0m\x1b[2m[{words}]\x1b[0m\r\n"]

    def _at(self, moment: float) -> float:
        """Seconds since the beginning, which never go backwards whatever the clock does."""
        self.last = max(self.last, moment)
        return round(max(0.0, self.last - self.opened_at), 3)

    def _append(self, events: list[Any]) -> None:
        text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()
        is_full = self.bytes + len(text) > MAX_FILE_BYTES - 256
        if is_full:
            text = (json.dumps(self._remark("the recording is full")) + "\n").encode()
        written = os.pwrite(self.file, text, self.bytes)
        self.bytes = MAX_FILE_BYTES if is_full else self.bytes + written
        if written < len(text):
            raise OSError("the disk is full")
        self.ring.recorded = self.offset << SIZE_BITS | self.bytes


def _size_of(master: int) -> tuple[int, int]:
    rows, cols = struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)))[:2]
    return rows or 24, cols or 80
