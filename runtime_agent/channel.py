"""One terminal in the bridge: its PTY, its ring, its viewers, and who is waited for.

Reading stops while the active viewer has more than a window unacknowledged; the kernel then slows the program down.
What is typed has a queue of its own (typed.py) and never waits behind output. Everything runs as callbacks of one event
loop, so nothing here needs a lock, and no key costs a task. The active viewer is the page that typed last, or came last:
it has the size, it is waited for, also a while after it went away, and it alone answers for the terminal.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass

from runtime_agent import protocol
from runtime_agent.commands import Commands, Mark
from runtime_agent.osc import is_answer
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame
from runtime_agent.recording import Recorder
from runtime_agent.ring import Ring
from runtime_agent.typed import Typed

LINGER_SECONDS = 10.0
"""How long the page that is waited for is waited for after its goodbye: a line that was cut comes back."""
READS_PER_TURN = 4
MAX_VIEWERS = 64
log = logging.getLogger(__name__)
Publish = Callable[[bytes], None]


@dataclass
class Viewer:
    """A cursor. ``acked`` is the PTY offset that its page has parsed.

    A viewer's id is its page's client number bound to its user (labs.consumers), so it also keys the input offsets.
    """

    acked: int
    read_only: bool


class Channel:
    """``publish`` hands a bus frame to Redis; ``is_clogged`` says that Redis does not keep up."""

    def __init__(self, terminal_id: str, master: int, ring: Ring, *, publish: Publish, is_clogged: Callable[[], bool],
                 on_mark: Callable[[str, Mark], None], on_end: Callable[[Channel], None],
                 is_waiting: bool = False, recorder: Recorder | None = None):
        self.terminal_id, self.master, self.ring = terminal_id, master, ring
        self.publish, self.is_clogged, self.on_mark, self.on_end = publish, is_clogged, on_mark, on_end
        self.viewers: dict[int, Viewer] = {}
        self.active: int | None = None
        self.sent = ring.head
        self.commands = Commands()
        self.reading = self.ended = False
        self.held_since: float | None = None
        self.lingering: asyncio.TimerHandle | None = None
        self.is_waiting, self.recorder = is_waiting, recorder
        self.refused: dict[str, int] = {}
        self.loop = asyncio.get_running_loop()
        self.typed = Typed(master, ring, self.loop, self.acknowledge)
        self.steer()

    # --- frames from viewers ------------------------------------------------------------------------------

    def take(self, viewer_id: int, frame: bytes) -> None:
        """One browser frame of one viewer. A bad one is counted and has no effect."""
        try:
            kind, fields, body = terminal_codec.decode(frame)
        except protocol.ProtocolError as error:
            self.refuse(error.reason)
            return
        if kind is Frame.HELLO:
            self.greet(viewer_id, *fields)
        elif kind is Frame.BYE:
            self.forget(viewer_id)
        elif (viewer := self.viewers.get(viewer_id)) is None:
            self.refuse("before-hello")
        elif kind is Frame.ACK:
            viewer.acked = min(max(viewer.acked, fields[0]), self.ring.head)
            self.steer()
        elif viewer.read_only:
            self.refuse("read-only")
        elif kind is Frame.RESIZE:
            self.resize(*fields)
        elif kind is Frame.INPUT:
            self.accept_input(viewer_id, fields[0], body)
        else:
            self.refuse("wrong-way")

    def refuse(self, reason: str) -> None:
        """Count it, and log one in a hundred: a stranger must not fill the disk."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if self.refused[reason] % 100 == 1:
            log.warning("bad frame reason=%s session_id=%s", reason, self.terminal_id)

    def greet(self, viewer_id: int, version: int, flags: int, client: int, resume: int, rows: int, cols: int) -> None:
        """Tell the viewer where we are and send what it lacks, all before any later output."""
        if version != protocol.VERSION:
            self.refuse("version")
            return
        if viewer_id not in self.viewers and len(self.viewers) >= MAX_VIEWERS:
            self.refuse("too-many-viewers")
            return
        self.flush()
        read_only = bool(flags & terminal_codec.READ_ONLY)
        wanted = self.ring.start if resume == terminal_codec.FROM_RING_START else min(resume, self.ring.head)
        first = max(wanted, self.ring.start)
        self.viewers[viewer_id] = Viewer(first, read_only)
        self.is_waiting = self.is_waiting and read_only
        self.answer(viewer_id, terminal_codec.encode(Frame.WELCOME, self.sent, first, self.ring.received(viewer_id),
                                                     self.ring.epoch))
        if wanted < first:
            self.answer(viewer_id, terminal_codec.encode(Frame.SKIPPED, wanted, first))
        while first < self.sent:
            part = self.ring.since(first, min(terminal_codec.MAX_OUTPUT_CHUNK_BYTES, self.sent - first))
            self.answer(viewer_id, terminal_codec.encode(Frame.REPLAY, first, data=part))
            first += len(part)
        if not read_only:
            self.activate(viewer_id)
            self.resize(rows, cols)
        self.steer()

    def activate(self, viewer_id: int) -> None:
        """Whoever was waited for after its goodbye has come back, or has a successor."""
        if self.lingering:
            self.lingering.cancel()
            self.lingering = None
            if viewer_id != self.active:
                self.viewers.pop(self.active, None)
        self.active = viewer_id

    def forget(self, viewer_id: int) -> None:
        if viewer_id != self.active:
            self.viewers.pop(viewer_id, None)
        elif self.lingering is None:
            self.lingering = self.loop.call_later(LINGER_SECONDS, self.drop_active)

    def drop_active(self) -> None:
        """Nobody is waited for now."""
        if self.lingering:
            self.lingering.cancel()
            self.lingering = None
        self.viewers.pop(self.active, None)
        self.active = None
        self.steer()

    def forget_all(self) -> None:
        """Nobody listens on our channel: whoever is held for is gone without a word."""
        self.viewers.clear()
        self.drop_active()

    def answer(self, viewer_id: int, frame: bytes) -> None:
        self.publish(terminal_codec.address(viewer_id, frame))

    def resize(self, rows: int, cols: int) -> None:
        rows, cols = terminal_codec.clamp_size(rows, cols)
        self.commands.columns = cols
        try:
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        except OSError:
            self.refuse("resize-failed")
        if self.recorder:
            self.recorder.resize(rows, cols)

    # --- input --------------------------------------------------------------------------------------------

    def accept_input(self, viewer_id: int, offset: int, body: bytes) -> None:
        """Queue what is new; what was queued before is dropped, what leaves a gap waits for its beginning."""
        expected = self.typed.expected(viewer_id)
        fresh = body[expected - offset:] if offset <= expected else b""
        if offset > expected:
            self.refuse("input-gap")
        elif fresh and viewer_id not in self.typed.queued and self.is_anothers_to_answer(viewer_id) and is_answer(fresh):
            self.ring.note_received(viewer_id, expected + len(fresh))
        elif not self.typed.has_room(len(fresh)):
            self.refuse("input-overflow")
        elif fresh:
            self.typed.add(viewer_id, fresh)
            self.activate(viewer_id)
            self.typed.write()
            self.steer()
            return
        self.acknowledge(viewer_id)

    def is_anothers_to_answer(self, viewer_id: int) -> bool:
        """Every page's xterm.js answers a program's question to the terminal; the program wants one answer."""
        return self.active not in (None, viewer_id) and self.lingering is None

    def acknowledge(self, viewer_id: int) -> None:
        """Only what the PTY has taken: the rest is the page's to send again if we die."""
        self.answer(viewer_id, terminal_codec.encode(Frame.INPUT_ACK, self.ring.received(viewer_id)))

    # --- output -------------------------------------------------------------------------------------------

    def stop_waiting(self) -> None:
        """Nobody who types has greeted in time: there is nobody to be held for."""
        self.is_waiting = False
        self.steer()

    def may_read(self) -> bool:
        if self.is_waiting:
            return False
        viewer = self.viewers.get(self.active) if self.active is not None else None
        if viewer is None:
            return True
        return self.ring.head - viewer.acked < terminal_codec.WINDOW_BYTES

    def steer(self) -> None:
        """Watch the PTY exactly while its output may be taken."""
        want = not self.ended and self.may_read() and not self.is_clogged()
        if want and not self.reading:
            self.loop.add_reader(self.master, self.read)
            self.held_since = None
        elif not want and self.reading:
            self.loop.remove_reader(self.master)
            self.held_since = self.loop.time()
        self.reading = want

    def read(self) -> None:
        """Take what the PTY has, up to a few buffers, and send it in one go."""
        for _ in range(READS_PER_TURN):
            try:
                count = self.ring.read_from(self.master)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EIO:
                    self.flush()
                    self.end()
                    return
                raise
            if count == 0 or self.ring.head - self.sent >= terminal_codec.MAX_OUTPUT_CHUNK_BYTES:
                break
        self.flush()
        self.steer()

    def flush(self) -> None:
        """Publish what has been read and not yet sent."""
        while self.sent < self.ring.head:
            chunk = self.ring.since(self.sent, terminal_codec.MAX_OUTPUT_CHUNK_BYTES)
            self.publish(terminal_codec.encode(Frame.OUTPUT, self.sent, data=chunk))
            for mark in self.commands.feed(chunk):
                self.on_mark(self.terminal_id, mark)
            self.sent += len(chunk)
            if self.recorder:
                self.recorder.note(self.sent)
        self.typed.pay()

    def drain(self) -> None:
        """The shell is gone: take what it left behind, whoever keeps the slave side open."""
        while not self.ended:
            try:
                if self.ring.read_from(self.master) == 0:
                    break
            except OSError:
                break
            self.flush()
        self.end()

    def end(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.drop_active()
        self.typed.end()
        os.close(self.master)
        self.on_end(self)
