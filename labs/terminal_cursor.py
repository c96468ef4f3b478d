"""How far one viewer of a terminal has come: pure arithmetic on offsets, no input or output.

Pub/sub can lose and, after a second greeting, repeat. The cursor lets each byte through once and in order: it cuts off
what is known, holds back what lies behind a gap, and says when the bridge has to be greeted again to fill it. A page that
parses slower than the program prints, while another page is the one the program waits for, gets no more than it can hold.
"""

from __future__ import annotations

from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame

GREET_AGAIN_SECONDS = 3.0
"""A greeting that nobody answered (the bridge may be away) does not forbid another one for ever."""
MAX_AHEAD_BYTES = terminal_codec.RING_BYTES
"""A page may have so much unparsed: what a greeting can bring at once. The page that is waited for never has more."""
ANSWERS = frozenset({Frame.WELCOME, Frame.INPUT_ACK, Frame.REPLAY, Frame.SKIPPED})
TO_PAGE = ANSWERS | terminal_codec.BROADCASTS


class Cursor:
    """``expected`` is the PTY offset of the next byte this viewer lacks; None until a first WELCOME says where to begin.

    ``acked`` is how far its page has parsed. ``is_behind``: output went by because the page had too much of it.
    """

    def __init__(self) -> None:
        self.expected: int | None = None
        self.greeted_at: float | None = None
        self.acked, self.is_behind = 0, False

    @property
    def resume(self) -> int:
        """The offset to greet with."""
        return terminal_codec.FROM_RING_START if self.expected is None else self.expected

    def start_at(self, resume: int) -> None:
        """The page greeted, and knows best where it is."""
        self.expected = None if resume == terminal_codec.FROM_RING_START else resume
        self.acked, self.is_behind = self.expected or 0, False

    def acknowledge(self, offset: int) -> bool:
        """The page has parsed up to ``offset``; True if it now has room for what went by."""
        self.acked = max(self.acked, min(offset, self.expected or 0))
        if not self.is_behind or self.expected - self.acked > terminal_codec.WINDOW_BYTES:
            return False
        self.is_behind = False
        return True

    def note_greeting(self, now: float) -> None:
        self.greeted_at = now

    def take(self, kind: Frame, fields: tuple[int, ...], body: bytes, now: float) -> tuple[bytes | None, bool]:
        """(the frame for the page or None, whether to greet again now) for one frame of the bus."""
        if kind is Frame.WELCOME:
            self._welcome(head=fields[0], first=fields[1])
        elif kind is Frame.SKIPPED:
            self.expected = max(self.expected or 0, fields[1])
            self.acked = max(self.acked, fields[1])
        elif kind in (Frame.OUTPUT, Frame.REPLAY):
            return self._advance(kind, fields[0], body, now)
        elif kind not in TO_PAGE:
            return None, False
        return terminal_codec.encode(kind, *fields), False

    def _welcome(self, head: int, first: int) -> None:
        self.greeted_at = None
        if self.expected is None or head < self.expected:  # the second: it is another terminal than we knew
            self.expected = self.acked = first

    def _advance(self, kind: Frame, offset: int, body: bytes, now: float) -> tuple[bytes | None, bool]:
        end = offset + len(body)
        if self.expected is None or end <= self.expected or self.is_behind:
            return None, False
        if offset > self.expected:
            is_asked = self.greeted_at is not None and now - self.greeted_at < GREET_AGAIN_SECONDS
            return None, not is_asked
        if end - self.acked > MAX_AHEAD_BYTES:
            self.is_behind = True
            return None, False
        fresh = body[self.expected - offset:]
        frame = terminal_codec.encode(kind, self.expected, data=fresh)
        self.expected = end
        return frame, False
