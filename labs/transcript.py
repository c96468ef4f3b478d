"""From a recorded terminal to plain text: what a reader, or a screen reader, gets instead of a film.

A screen lays the output out as rows, and the shell's marks (OSC 133: A prompt, B input begins, C it runs, D it ended) make
each command a heading over what it printed. Pure: events in, blocks out; it may be given anything a program can print.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from labs.screen import Row, Screen


@dataclass
class Block:
    """A command, when it began in seconds, what it ended with, and the lines that it printed. The first has no command."""

    command: str = ""
    at: float = 0.0
    status: int | None = None
    lines: list[str] = field(default_factory=list)

    def printed(self) -> str:
        return "\n".join(self.lines)


class Transcript:
    """Takes what a terminal printed; ``blocks`` gives what came of it."""

    def __init__(self, width: int, height: int):
        self.screen, self.now = Screen(width, height, self.mark), 0.0
        self.prompts: set[Row] = set()
        self.headings: dict[Row, Block] = {}
        self.begin: tuple[Row, int] | None = None
        self.running: Block | None = None

    def feed(self, text: str, now: float) -> None:
        self.now = now
        self.screen.feed(text)

    def mark(self, text: str) -> None:
        if not text.startswith("133;"):
            return
        word = text[4:5]
        if word == "A":
            self.prompts.add(self.screen.here())
        elif word == "B":
            self.begin = (self.screen.here(), self.screen.column)
        elif word == "C" and self.begin:
            self.running = self.heading(*self.begin)
            self.begin = None
        elif word == "D" and self.running:
            self.running.status = int(text[6:9]) if text[6:9].isdecimal() else None
            self.running = None

    def heading(self, row: Row, column: int) -> Block:
        """The command stands between where its input began and here."""
        screen = self.screen
        known = [*screen.past[-screen.height:], *screen.rows[:screen.row]]
        own = known[known.index(row):] if row in known else [row]
        lines = ["".join(own[0].cells[column:])]
        for one in own[1:]:
            lines[-1:] = [lines[-1] + "".join(one.cells)] if one.is_wrapped else [lines[-1], "".join(one.cells)]
        self.prompts.update(own)
        self.headings[row] = Block("\n".join(line.rstrip() for line in lines).strip(), self.now)
        return self.headings[row]

    def blocks(self) -> list[Block]:
        found, is_joined = [Block()], False
        for row in [*self.screen.past, *self.screen.rows]:
            if row in self.headings:
                found.append(self.headings[row])
            if row in self.prompts:
                is_joined = False
            elif row.is_wrapped and is_joined:
                found[-1].lines[-1] += row.text()
            else:
                found[-1].lines.append(row.text())
                is_joined = True
        for block in found:
            block.lines = _trimmed(block.lines)
        return [block for block in found if block.command or block.lines]


def blocks_of(width: int, height: int, events: Iterable[tuple[float, str, str]]) -> list[Block]:
    """The blocks of a recording's events (seconds, kind, text)."""
    transcript = Transcript(width, height)
    for at, kind, text in events:
        if kind == "o":
            transcript.feed(text, at)
        elif kind == "r" and re.fullmatch(r"\d{1,4}x\d{1,4}", text):
            transcript.screen.resize(*map(int, text.split("x")))
    return transcript.blocks()


def as_text(blocks: Iterable[Block]) -> str:
    """Plain text; a command is a line that begins with "$ ", further lines of it with "> "."""
    parts = []
    for block in blocks:
        head = ["$ " + block.command.replace("\n", "\n> ")] if block.command else []
        tail = [f"[status {block.status}]"] if block.status else []
        parts.append("\n".join([*head, *block.lines, *tail]))
    return "\n\n".join(parts) + "\n"


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    while lines and not lines[0]:
        lines = lines[1:]
    return lines
