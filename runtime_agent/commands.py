"""The commands typed at a prompt, read from a terminal's output: what stands there between two of the shell's marks.

The shell marks the prompt (OSC 133: A begins, B ends, C the command runs, D it is done), so between B and C the line
editor draws what is typed. It is drawn here on a few rows of the terminal's width, with the sequences that readline uses.
Everything read is a student's: bounded, never an error, believed by nothing but the time line.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ROWS = 64
MAX_TEXT = 300
MAX_WAITING = 64
MAX_MARKS, MAX_DRAWN_BYTES = 64, 4096
"""In one piece, so that no output can hold the bridge: of more marks the last ones count, of more text its beginning."""
_LAST_BYTES = 1024
_MARK = re.compile(rb"\x1b\]133;([ABCD])(?:;([^\x07\x1b]{0,40}))?(?:\x07|\x1b\\)")
_HALF_MARK = re.compile(rb"\x1b\]133;(?:[ABCD](?:;[^\x07\x1b]{0,40})?\x1b?)?\Z")
_BEGIN = b"\x1b]133;"
_TOKEN = re.compile(r"\x1b\[([?\d;]*)([@-~])|\x1b\].*?(?:\x07|\x1b\\)|\x1b[^\[\]]|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Mark:
    """``text`` of a command that begins, ``status`` of one that is done; None if the shell did not say."""

    is_done: bool
    text: str = ""
    status: int | None = None


class Commands:
    """Feed it a terminal's output in order, in pieces of any size. ``columns`` is the terminal's width."""

    def __init__(self, columns: int = 80):
        self.columns = columns
        self._tail = b""
        self._left = 0
        self._screen: Screen | None = None

    def feed(self, chunk: bytes) -> list[Mark]:
        """The marks that ended in this piece."""
        data, self._left = self._tail + chunk, MAX_DRAWN_BYTES
        if data.count(_BEGIN) > MAX_MARKS:
            data, self._screen = data[-_LAST_BYTES:], None
        return list(self._feed(data))

    def _feed(self, data: bytes) -> Iterator[Mark]:
        at = 0
        while (begin := data.find(_BEGIN, at)) >= 0:
            match = _MARK.match(data, begin)
            if match is None and _HALF_MARK.match(data, begin):
                break
            self._draw(data[at:begin])
            at = match.end() if match else begin + 1
            if match and (mark := self._take(match[1], match[2] or b"")):
                yield mark
        keep = begin if begin >= 0 else _unfinished(data, at)
        self._draw(data[at:keep])
        self._tail = data[keep:]

    def _take(self, kind: bytes, argument: bytes) -> Mark | None:
        if kind == b"A":  # the line editor draws the prompt again now and then: only the first one begins a screen
            self._screen = self._screen or Screen(self.columns)
        elif kind == b"B" and self._screen:
            self._screen.begin()
        elif kind == b"C":
            text, self._screen = self._screen.text() if self._screen else "", None
            return Mark(False, text)
        elif kind == b"D":
            self._screen = None
            return Mark(True, status=int(argument) if argument.isdigit() else None)
        return None

    def _draw(self, piece: bytes) -> None:
        if self._screen and piece and self._left > 0:
            self._screen.draw(piece[:self._left])
            self._left -= len(piece)


def _unfinished(data: bytes, at: int) -> int:
    """Where the last escape begins, if it may be the beginning of a mark; else the end."""
    begin = data.rfind(b"\x1b", max(at, len(data) - len(_BEGIN) + 1))
    return begin if begin >= 0 and _BEGIN.startswith(data[begin:]) else len(data)


class Screen:
    """A few rows from the prompt on, with a cursor; what leaves them is lost."""

    def __init__(self, columns: int):
        self.columns = max(2, columns)
        self.rows: list[list[str]] = [[]]
        self.wrapped: set[int] = set()
        self.x = self.y = 0
        self.start = (0, 0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def begin(self) -> None:
        """The prompt ends here, what follows is typed."""
        self.start = self.y, self.x

    def draw(self, piece: bytes) -> None:
        text = self._rest + self._decoder.decode(piece)
        at = 0
        while match := _TOKEN.match(text, at):
            self._act(match[0], match[1] or "", match[2] or "")
            at = match.end()
        self._rest = text[at:] if len(text) - at < MAX_WAITING else ""

    def text(self) -> str:
        """What was typed, without the prompt; the lines of one command with line ends between them."""
        top, left = self.start
        parts = []
        for y in range(top, len(self.rows)):
            parts.append("" if y in self.wrapped or y == top else "\n")
            parts += self.rows[y][left if y == top else 0:]
        text = "".join(parts).strip()[:MAX_TEXT]
        return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}"
                       for letter in text)

    def _act(self, token: str, numbers: str, final: str) -> None:
        if final:
            first = numbers.partition(";")[0]
            self._control(final, int(first[:4]) if first.isdigit() else 0)
        elif token == "\b":
            self.x = max(0, min(self.x, self.columns) - 1)
        elif token == "\r":
            self.x = 0
        elif token == "\n":
            self._go(self.y + 1)
        elif token[0] >= " " and token != "\x7f":
            for letter in token:
                self._put(letter)

    def _control(self, final: str, number: int) -> None:
        """console_codes(4): moving, inserting and erasing; everything else changes no letter."""
        row, count = self.rows[self.y], number or 1
        if final == "C":
            self.x = min(self.x + count, self.columns - 1)
        elif final == "D":
            self.x = max(0, self.x - count)
        elif final == "A":
            self._go(max(0, self.y - count))
        elif final == "B":
            self._go(self.y + count)
        elif final == "G":
            self.x = min(count, self.columns) - 1
        elif final == "P":
            del row[self.x:self.x + count]
        elif final == "@":
            row[self.x:self.x] = [" "] * min(count, self.columns)
        elif final == "K" and number == 0:
            del row[self.x:]
        elif final == "J" and number == 0:
            del row[self.x:], self.rows[self.y + 1:]
        elif final == "J":
            self.rows = [[] for _ in self.rows]
        elif final == "H" and number == 0:
            self.x = self.y = 0

    def _go(self, y: int) -> None:
        self.y = min(y, MAX_ROWS - 1)
        while len(self.rows) <= self.y:
            self.rows.append([])

    def _put(self, letter: str) -> None:
        if self.x >= self.columns:
            self._go(self.y + 1)
            self.x = 0
            self.wrapped.add(self.y)
        row, width = self.rows[self.y], 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        row += [" "] * (self.x - len(row))
        row[self.x:self.x + width] = [letter, *[""] * (width - 1)]
        self.x += width
