"""The attack list: a table of commands that try to get out of a sandbox or to harm its neighbours.

Tab-separated, with the columns ``id category command expected``. ``expected`` begins with ``std=W; nested=W;`` where
W is OK (must hold), ANY (runs, either verdict is fine) or SKIP; the rest is for people, and after ``HOST:`` stands
what has to be looked at from outside. This module reads lists and judges output; it starts nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("id", "category", "command", "expected")
PROFILES = {"standard": "std", "nested": "nested"}
"""profile -> its word in the column ``expected``."""
EXPECTED = re.compile(r"std=(?P<standard>OK|ANY|SKIP); nested=(?P<nested>OK|ANY|SKIP)(?:; (?P<text>.*))?")


class ListError(Exception):
    """A list that can't be used; every line of the text names the file, the line and the column at fault."""


@dataclass(frozen=True)
class Attack:
    """One row. ``expected`` maps a profile to OK, ANY or SKIP; ``text`` says in words what must hold."""

    id: str
    category: str
    command: str
    expected: dict[str, str]
    text: str


def read(path: Path) -> list[Attack]:
    """Read a list. Raises ListError with every fault in it."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is not UTF-8 ({error.reason})"
        raise ListError(f"{path}: {reason}") from None
    if not lines or tuple(lines[0].split("\t")) != COLUMNS:
        raise ListError(f"{path}:1: the first line must name the columns {', '.join(COLUMNS)}, with tabs between them")
    attacks, faults, seen = [], [], {}
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        found = [f"{path}:{number}: {fault}" for fault in _faults(cells, seen)]
        faults += found
        if not found:
            seen[cells[0]] = number
            attacks.append(_attack(cells))
    if faults or not attacks:
        raise ListError("\n".join(faults) or f"{path}:2: there is no attack in it")
    return attacks


def _faults(cells: list[str], seen: dict[str, int]) -> list[str]:
    """What is wrong with one row; each text begins with the column."""
    if len(cells) != len(COLUMNS):
        missing = COLUMNS[len(cells)] if len(cells) < len(COLUMNS) else "a fifth one"
        return [f"column {missing}: a row has {len(COLUMNS)} columns with tabs between them, this one has {len(cells)}"]
    faults = [f"column {name}: it is empty" for name, cell in zip(COLUMNS, cells, strict=True) if not cell.strip()]
    if cells[0] in seen:
        faults.append(f"column id: {cells[0]} stands in line {seen[cells[0]]} already")
    if cells[3].strip() and not EXPECTED.fullmatch(cells[3]):
        faults.append(f"column expected: it must begin with std=W; nested=W where W is OK, ANY or SKIP, "
                      f"not with {cells[3][:30]!r}")
    return faults


def _attack(cells: list[str]) -> Attack:
    words = EXPECTED.fullmatch(cells[3])
    return Attack(cells[0], cells[1], cells[2], {profile: words[profile] for profile in PROFILES}, words["text"] or "")


def judge(output: str) -> str:
    """OK, BAD, or NONE where the command gave no verdict: it must print OK and nowhere BAD."""
    if "BAD" in output:
        return "BAD"
    return "OK" if "OK" in output else "NONE"
