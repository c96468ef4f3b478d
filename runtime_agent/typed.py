"""What viewers have typed, on its way into a PTY: in the order in which it came, nothing twice, nothing lost.

Input never waits behind output: it has this queue of its own and the master is non-blocking. What was taken is
acknowledged behind the echo, and only what the PTY has taken: the rest is the page's to send again if we die.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable

from runtime_agent.ring import Ring

ACK_SECONDS = 0.02
MAX_PENDING_BYTES = 256 * 1024
"""Input of all viewers that the program has not read yet; a page sends at most 64 KiB ahead of its acknowledgements."""


class Typed:
    """The ring keeps how much of each viewer's input the PTY has taken; ``acknowledge`` tells one viewer."""

    def __init__(self, master: int, ring: Ring, loop: asyncio.AbstractEventLoop, acknowledge: Callable[[int], None]):
        self.master, self.ring, self.loop, self.acknowledge = master, ring, loop, acknowledge
        self.pending: deque[tuple[int, int, bytes]] = deque()
        self.queued: dict[int, int] = {}
        self.owed: set[int] = set()
        self.writing = self.ended = False

    def expected(self, viewer_id: int) -> int:
        """The offset of the byte that this viewer is to send next."""
        return self.queued.get(viewer_id, self.ring.received(viewer_id))

    def has_room(self, count: int) -> bool:
        return sum(len(chunk) for _, _, chunk in self.pending) + count <= MAX_PENDING_BYTES

    def add(self, viewer_id: int, fresh: bytes) -> None:
        """Behind what is there already; ``write`` sends it on."""
        expected = self.expected(viewer_id)
        self.queued[viewer_id] = expected + len(fresh)
        self.pending.append((viewer_id, expected, fresh))

    def write(self) -> None:
        """Write until the PTY is full; then the loop calls again when it is not."""
        while self.pending and not self.ended:
            viewer_id, offset, chunk = self.pending[0]
            try:
                written = os.write(self.master, chunk)
            except BlockingIOError:
                break
            except OSError:
                self.pending.clear()
                self.queued.clear()
                break
            self.ring.note_received(viewer_id, offset + written)
            self._acknowledge_soon(viewer_id)
            self.pending.popleft()
            if written < len(chunk):
                self.pending.appendleft((viewer_id, offset + written, chunk[written:]))
            elif self.queued.get(viewer_id) == offset + written:
                del self.queued[viewer_id]
        self._watch_writable(bool(self.pending) and not self.ended)

    def pay(self) -> None:
        """Acknowledge what is owed."""
        for viewer_id in self.owed:
            self.acknowledge(viewer_id)
        self.owed.clear()

    def end(self) -> None:
        """Before the master is closed."""
        self.ended = True
        self._watch_writable(False)

    def _acknowledge_soon(self, viewer_id: int) -> None:
        """Behind the echo, which a person waits for; each hop would else work on this first."""
        if not self.owed:
            self.loop.call_later(ACK_SECONDS, self.pay)
        self.owed.add(viewer_id)

    def _watch_writable(self, want: bool) -> None:
        if want and not self.writing:
            self.loop.add_writer(self.master, self.write)
        elif self.writing and not want:
            self.loop.remove_writer(self.master)
        self.writing = want
