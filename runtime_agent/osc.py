"""Escape sequences that the bridge must know: marks of the shell's integration (OSC 133), and a terminal's answers."""

from __future__ import annotations

import re

COMMAND_DONE = b"\x1b]133;D"
_ANSWER = re.compile(rb"(?:\x1b\[[?>=]?[\d;]*\$?[cnRty]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\)+")
"""As static/src/js/terminal/answers.js: xterm's ctlseqs, "Send Device Attributes" and its like; no key has such a form."""


def is_answer(typed: bytes) -> bool:
    """Does ``typed`` hold nothing but what a terminal says by itself when a program asks it?"""
    return _ANSWER.fullmatch(typed) is not None


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
