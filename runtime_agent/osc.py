"""What a terminal says by itself when a program asks it: answers that nobody typed."""

from __future__ import annotations

import re

_ANSWER = re.compile(rb"(?:\x1b\[[?>=]?[\d;]*\$?[cnRty]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\)+")
"""As static/src/js/terminal/answers.js: xterm's ctlseqs, "Send Device Attributes" and its like; no key has such a form."""


def is_answer(typed: bytes) -> bool:
    """Does ``typed`` hold nothing but what a terminal says by itself when a program asks it?"""
    return _ANSWER.fullmatch(typed) is not None
