"""What is wrong with a course's files: one finding per place, with a sentence that says what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Finding:
    """``line`` counts from 1; ``rule`` is a short name for those who filter."""

    path: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"


class Findings(list):
    """Findings about one file."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def add(self, line: int, rule: str, message: str) -> None:
        self.append(Finding(self.path, line, rule, message))


def nearest(word: str, known: Iterable[str]) -> str:
    """" Did you mean x?" or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
