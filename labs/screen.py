"""A small terminal that lays text with escape sequences out as rows: cursor, erasing, wrapping, wide characters.

Colours go, and what full-screen programs draw is left out by name. It may be given anything a program can print.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<csi>[@-~])|\x1b[ -/]*(?P<esc>[0-~])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)|(?P<control>[\x00-\x1f\x7f])")
CUT = re.compile(r"\x1b(?:[\]PX^_][^\x07\x1b]*|\[[0-?]*[ -/]*|[ -/]*)\Z")
"""A sequence whose rest is in the next event."""
MAX_CUT_CHARS = 4096
ALTERNATE = frozenset({"?47", "?1047", "?1049"})
FULL_SCREEN = "[a full-screen program]"


@dataclass(eq=False)
class Row:
    """One line. ``is_wrapped``: it goes on from the row before."""

    cells: list[str] = field(default_factory=list)
    is_wrapped: bool = False

    def text(self) -> str:
        return "".join(self.cells).rstrip()


class Screen:
    """``past`` are the rows that have scrolled away, ``rows`` those in sight; ``on_mark`` gets the text of every OSC."""

    def __init__(self, width: int, height: int, on_mark: Callable[[str], None]):
        self.past: list[Row] = []
        self.rows, self.row, self.column = [Row()], 0, 0
        self.resize(width, height)
        self.saved, self.is_alternate, self.cut, self.on_mark = (0, 0), False, "", on_mark

    def here(self) -> Row:
        return self.rows[self.row]

    def resize(self, width: int, height: int) -> None:
        self.width, self.height = max(1, min(width, 500)), max(1, min(height, 500))
        while len(self.rows) > self.height:
            self.scroll()

    def scroll(self) -> None:
        self.past.append(self.rows.pop(0))
        self.row = max(0, self.row - 1)

    def feed(self, text: str) -> None:
        text = self.cut + text
        found = CUT.search(text[-MAX_CUT_CHARS:])
        self.cut = found[0] if found else ""
        for token in TOKEN.finditer(text[:len(text) - len(self.cut)]):
            kind = token.lastgroup
            if kind == "osc":
                self.on_mark(token["osc"])
            elif kind == "csi":
                self.sequence(token["csi"], token["arguments"])
            elif self.is_alternate:
                continue
            elif kind == "text":
                self.put(token["text"])
            elif kind == "control":
                self.control(token["control"])
            elif kind == "esc":
                self.escape(token["esc"])

    # --- writing ------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        while text:
            if self.column >= self.width:
                self.down()
                self.column, self.here().is_wrapped = 0, True
            room = self.width - self.column
            part, text = text[:room], text[room:]
            if part.isascii():
                self.write(list(part))
                continue
            cells = _cells(part)
            if len(cells) > room:  # wide characters
                text, part = part[room // 2 or 1:] + text, part[:room // 2 or 1]
                cells = _cells(part)
            self.write(cells)

    def write(self, cells: list[str]) -> None:
        row = self.here().cells
        row.extend(" " * (self.column - len(row)))
        row[self.column:self.column + len(cells)] = cells
        self.column += len(cells)

    def down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append(Row())
        if len(self.rows) > self.height:
            self.scroll()

    def control(self, letter: str) -> None:
        if letter in "\n\v\f":
            self.down()
        elif letter == "\r":
            self.column = 0
        elif letter == "\b":
            self.column = max(0, min(self.column, self.width) - 1)
        elif letter == "\t":
            self.column = min(self.column // 8 * 8 + 8, self.width - 1)

    def escape(self, letter: str) -> None:
        if letter == "7":
            self.saved = (self.row, self.column)
        elif letter == "8":
            self.go(*self.saved)
        elif letter == "M":
            self.row = max(0, self.row - 1)
        elif letter in "DE":
            self.column = 0 if letter == "E" else self.column
            self.down()

    def go(self, row: int, column: int) -> None:
        self.row, self.column = max(0, min(row, self.height - 1)), max(0, min(column, self.width - 1))
        while len(self.rows) <= self.row:
            self.rows.append(Row())

    # --- control sequences --------------------------------------------------------------------------------

    def sequence(self, letter: str, arguments: str) -> None:
        """ECMA-48 by its final letter; what changes no text is passed over."""
        if letter in "hl" and ALTERNATE.intersection(arguments.split(";")):
            self.alternate(letter == "h")
        if self.is_alternate or not re.fullmatch(r"[0-9;]*", arguments):
            return
        numbers = [int(part[:4] or 0) for part in arguments.split(";")]
        first, count = numbers[0], max(1, numbers[0])
        if letter in "Hf":
            self.go(count - 1, (numbers[1] if len(numbers) > 1 else 1) - 1)
        elif letter in "ABCDEFGd":
            row = {"A": self.row - count, "F": self.row - count, "B": self.row + count, "E": self.row + count,
                   "d": count - 1}.get(letter, self.row)
            column = {"C": self.column + count, "D": self.column - count, "G": count - 1, "E": 0, "F": 0}.get(
                letter, self.column)
            self.go(row, column)
        elif letter in "KPX@":
            self.edit(letter, first, count)
        elif letter == "J":
            self.erase(first)

    def edit(self, letter: str, first: int, count: int) -> None:
        cells, at = self.here().cells, self.column
        if letter == "K" and first in (0, 2):
            del cells[at if first == 0 else 0:]
        elif letter == "P":
            del cells[at:at + count]
        elif letter == "@" and at < len(cells):
            cells[at:at] = " " * min(count, self.width)
            del cells[self.width:]
        elif letter in "KX":
            end = min(len(cells), at + (1 if letter == "K" else count))
            start = 0 if letter == "K" else min(at, end)
            cells[start:end] = " " * (end - start)

    def erase(self, how: int) -> None:
        """A cleared screen is past, not gone: a transcript has no room to make."""
        if how == 0:
            del self.here().cells[self.column:]
            del self.rows[self.row + 1:]
        elif how == 2:
            self.past += self.rows
            self.rows = [Row() for _ in range(self.row + 1)]

    def alternate(self, is_on: bool) -> None:
        if is_on and not self.is_alternate:
            self.rows.insert(self.row, Row(list(FULL_SCREEN)))
            self.row += 1
            if len(self.rows) > self.height:
                self.scroll()
        self.is_alternate = is_on


def _cells(text: str) -> list[str]:
    """A wide character takes two cells, a combining one none of its own."""
    cells: list[str] = []
    for letter in text:
        if unicodedata.combining(letter) and cells:
            cells[-1] += letter
        else:
            cells += [letter, ""] if unicodedata.east_asian_width(letter) in "WF" else [letter]
    return cells
