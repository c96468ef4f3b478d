"""One printed table of what was looked at: state, name, what was found, what to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = {"ok": "32", "PASS": "32", "will install": "36", "CAUTION": "33", "can't": "31", "FAIL": "31"}


@dataclass(frozen=True)
class Row:
    """``state`` is a key of COLOURS; ``fix`` is a command or a sentence, empty when nothing is to be done."""

    state: str
    name: str
    found: str
    fix: str = ""


def show(rows: Sequence[Row]) -> None:
    """Print the rows in three columns, the fix on a line of its own."""
    names = max(len(row.name) for row in rows)
    states = max(len(row.state) for row in rows)
    for row in rows:
        print(f"  {_coloured(row.state.ljust(states), row.state)}  {row.name.ljust(names)}  {row.found}")
        if row.fix and row.state not in ("ok", "PASS"):
            print(f"  {' ' * states}  {' ' * names}  -> {row.fix}")


def _coloured(text: str, state: str) -> str:
    return f"\033[{COLOURS[state]}m{text}\033[0m" if sys.stdout.isatty() else text
