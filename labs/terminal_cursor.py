"""How far one viewer of a terminal has come: pure arithmetic on offsets, no input or output.

Pub/sub can lose and, after a second greeting, repeat. The cursor lets each byte through once and in order: it cuts off
what is known, holds back what lies behind a gap, and says when the bridge has to be greeted again to fill it.
"""

from __future__ import annotations

from runtime_agent import protocol
from runtime_agent.protocol import Frame

GREET_AGAIN_SECONDS = 3.0
"""A greeting that nobody answered (the bridge may be away) does not forbid another one for ever."""
ANSWERS = frozenset({Frame.WELCOME, Frame.INPUT_ACK, Frame.REPLAY, Frame.SKIPPED})
TO_PAGE = ANSWERS | protocol.BROADCASTS


class Cursor:
    """``expected`` is the PTY offset of the next byte this viewer lacks; None until a first WELCOME says where to begin."""

    def __init__(self) -> None:
        self.expected: int | None = None
        self.greeted_at: float | None = None

    @property
    def resume(self) -> int:
        """The offset to greet with."""
        return protocol.FROM_RING_START if self.expected is None else self.expected

    def start_at(self, resume: int) -> None:
        """The page greeted, and knows best where it is."""
        self.expected = None if resume == protocol.FROM_RING_START else resume

    def note_greeting(self, now: float) -> None:
        self.greeted_at = now

    def take(self, kind: Frame, fields: tuple[int, ...], body: bytes, now: float) -> tuple[bytes | None, bool]:
        """(the frame for the page or None, whether to greet again now) for one frame of the bus."""
        if kind is Frame.WELCOME:
            self._welcome(head=fields[0], first=fields[1])
        elif kind is Frame.SKIPPED:
            self.expected = max(self.expected or 0, fields[1])
        elif kind in (Frame.OUTPUT, Frame.REPLAY):
            return self._advance(kind, fields[0], body, now)
        elif kind not in TO_PAGE:
            return None, False
        return protocol.encode(kind, *fields), False

    def _welcome(self, head: int, first: int) -> None:
        self.greeted_at = None
        if self.expected is None or head < self.expected:  # the second: it is another terminal than we knew
            self.expected = first

    def _advance(self, kind: Frame, offset: int, body: bytes, now: float) -> tuple[bytes | None, bool]:
        end = offset + len(body)
        if self.expected is None or end <= self.expected:
            return None, False
        if offset > self.expected:
            is_asked = self.greeted_at is not None and now - self.greeted_at < GREET_AGAIN_SECONDS
            return None, not is_asked
        fresh = body[self.expected - offset:]
        frame = protocol.encode(kind, self.expected, data=fresh)
        self.expected = end
        return frame, False
