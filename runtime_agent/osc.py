"""Finding shell-integration marks (OSC 133) in a stream that is cut anywhere."""

from __future__ import annotations

COMMAND_DONE = b"\x1b]133;D"


class MarkScanner:
    """Feed it chunks in order; it says whether one of them completed the mark."""

    def __init__(self, mark: bytes = COMMAND_DONE):
        self._mark, self._tail = mark, b""

    def feed(self, chunk: bytes) -> bool:
        """True if a mark ended in this chunk."""
        joined = self._tail + chunk[:len(self._mark) - 1]
        found = self._mark in joined or self._mark in chunk
        self._tail = (self._tail + chunk)[-(len(self._mark) - 1):]
        return found
