"""Blocks of a lesson: Markdown, fences of code, and ``:::`` containers, each with its line.

What the lab must know as well is noted on the way: solutions, and the places at which tasks and machines are named.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from labs.course import containers, figures, html
from labs.course.findings import Findings, nearest

FENCE = re.compile(r"(?P<ticks>```+)\s*(?P<info>[^`]*)$")
OPEN = re.compile(r"(?P<colons>:{3,})\s*(?P<name>[a-z]+)\s*(?P<rest>.*)$")
CLOSE = re.compile(r"(?P<colons>:{3,})\s*$")
WIDGETS = ("calculator", "scheduler")
"""Things to play with that pages know; labs/widgets.py and templates/labs/blocks/widget.html are theirs."""
Block = dict[str, Any]


class BlockReader:
    """Of one lesson. ``step`` is the id of the step that is being read; ``ids`` are the lines of those that are used."""

    def __init__(self, folder: Path, findings: Findings):
        self.folder, self.findings, self.step = folder, findings, ""
        self.ids: dict[str, int] = {}
        self.solutions: list[dict[str, Any]] = []
        self.places: list[tuple[str, str, str, int]] = []

    def read(self, lines: list[str], first: int) -> list[Block]:
        """The blocks of some lines, of which the first has number ``first``."""
        blocks: list[Block] = []
        text: list[str] = []

        def flush() -> None:
            if any(line.strip() for line in text):
                blocks.append({"kind": "html", "html": html.render("\n".join(text))})
            text.clear()

        index = 0
        while index < len(lines):
            fence, opened = FENCE.match(lines[index]), OPEN.match(lines[index])
            if fence:
                flush()
                end = self._end_of(lines, index, lambda line, ticks=fence["ticks"]: line.strip() == ticks, first, "code block")
                blocks.append(self._code(fence["info"].split(), "\n".join(lines[index + 1:end]), first + index))
                index = end
            elif opened:
                flush()
                end = self._close_of(lines, index, len(opened["colons"]), first)
                blocks += self._container(opened["name"], opened["rest"].strip(), lines[index + 1:end], first + index)
                index = end
            elif CLOSE.match(lines[index]):
                self.findings.add(first + index, "container", "this ::: closes nothing")
            else:
                text.append(lines[index])
            index += 1
        flush()
        return blocks

    def _end_of(self, lines: list[str], index: int, is_end: Any, first: int, what: str) -> int:
        for end in range(index + 1, len(lines)):
            if is_end(lines[end]):
                return end
        self.findings.add(first + index, "open", f"this {what} is not closed")
        return len(lines)

    def _close_of(self, lines: list[str], index: int, colons: int, first: int) -> int:
        """The closing line: as many colons, no fence open. What is inside of another container has fewer or more."""
        fenced = False
        for end in range(index + 1, len(lines)):
            fenced ^= lines[end].startswith("```")
            close = CLOSE.match(lines[end])
            if close and not fenced and len(close["colons"]) == colons:
                return end
            inner = OPEN.match(lines[end])
            if inner and not fenced and len(inner["colons"]) == colons:
                self.findings.add(first + index, "open",
                                  f"this container is not closed before the next one begins in line {first + end}")
                return end - 1
        self.findings.add(first + index, "open", "this container is not closed by a line of ::: ")
        return len(lines)

    def _code(self, words: list[str], text: str, line: int) -> Block:
        """```` ```bash run ````, ``run=machine``, ``interrupt``, ``copy``, ``console``."""
        language, flags = (words[0], words[1:]) if words else ("text", [])
        if language == "console":
            return {"kind": "transcript", "html": html.code(text, "console")}
        run, interrupt = None, False
        for flag in flags:
            name, _, value = flag.partition("=")
            if name == "run":
                run = value
                if value:
                    self.places.append(("machine", value, self.step, line))
            elif flag == "interrupt":
                interrupt = True
            elif flag != "copy":
                meant = nearest(flag, ("run", "copy", "interrupt"))
                self.findings.add(line, "code", f"{flag!r} is no flag of a code block.{meant}")
        return {"kind": "code", "html": html.code(text, language), "lang": language, "run": run, "interrupt": interrupt,
                "copy": True, "text": text}

    # --- containers ---------------------------------------------------------------------------------------

    def _container(self, name: str, rest: str, lines: list[str], line: int) -> list[Block]:
        make = getattr(self, f"_make_{name}", None)
        if make is None:
            known = [key.removeprefix("_make_") for key in dir(self) if key.startswith("_make_")]
            self.findings.add(line, "container", f"there is no container {name!r}.{nearest(name, known)}")
            return []
        try:
            return [make(rest.split(), lines, line)]
        except containers.ContainerError as error:
            self.findings.add(line + error.line, name, str(error))
            return []

    def take_id(self, name: str, line: int) -> None:
        if name in self.ids:
            self.findings.add(line, "twice", f"the id {name!r} is used in line {self.ids[name]} already")
        self.ids.setdefault(name, line)

    def _make_task(self, words: list[str], lines: list[str], line: int) -> Block:
        if len(words) != 1:
            raise containers.ContainerError("write :::task and the task's id")
        self._must_be_empty("task", lines)
        self.places.append(("task", words[0], self.step, line))
        return {"kind": "task", "task": words[0]}

    def _make_hint(self, words: list[str], lines: list[str], line: int) -> Block:
        number = 1 + sum(1 for kind, _, step, _ in self.places if kind == "hint" and step == self.step)
        self.places.append(("hint", "", self.step, line))
        return {"kind": "hint", "id": f"{self.step or 'intro'}-{number}", "number": number, "html": self._inner(lines, line)}

    def _make_solution(self, words: list[str], lines: list[str], line: int) -> Block:
        blocks = self.read(lines, line + 1)
        typed = [{"machine": block["run"], "code": block["text"], "interrupt": block["interrupt"]}
                 for block in blocks if block["kind"] == "code" and block["run"] is not None]
        if not typed:
            raise containers.ContainerError("a solution needs at least one ```bash run block: it is typed by the lab test")
        self.solutions.append({"step": self.step, "blocks": typed})
        self.places.append(("solution", "", self.step, line))
        return {"kind": "solution", "id": f"{self.step}-{len(self.solutions)}",
                "html": "".join(block.get("html", "") for block in blocks), "blocks": [block["code"] for block in typed]}

    def _make_predict(self, words: list[str], lines: list[str], line: int) -> Block:
        block = containers.predict(words, lines)
        self.take_id(block["id"], line)
        return block

    def _make_measure(self, words: list[str], lines: list[str], line: int) -> Block:
        block = containers.measure(words, lines)
        self.take_id(block["id"], line)
        return block

    def _make_widget(self, words: list[str], lines: list[str], line: int) -> Block:
        block = containers.widget(words, WIDGETS)
        if block["source"]:
            self.places.append(("measure", block["source"], self.step, line))
        self.take_id(f"widget-{block['name']}", line)
        return {**block, "html": self._inner(lines, line)}

    def _make_quiz(self, words: list[str], lines: list[str], line: int) -> Block:
        block = containers.quiz(words, lines)
        self.take_id(block["id"], line)
        return block

    def _make_figure(self, words: list[str], lines: list[str], line: int) -> Block:
        path = self.folder / "figures" / f"{words[0]}.svg" if len(words) == 1 and "/" not in words[0] else None
        if path is None or path.is_symlink() or not path.is_file():
            raise containers.ContainerError("write :::figure and the name of a file in figures/, without .svg")
        self._must_be_empty("figure", lines)
        try:
            svg, title, description = figures.prepare(path.read_text(errors="replace"), words[0])
        except figures.FigureError as error:
            raise containers.ContainerError(f"figures/{path.name}: {error}") from None
        self.places += [("machine", name, self.step, line) for name in sorted(figures.machines_of(svg))]
        return {"kind": "figure", "name": words[0], "svg": svg, "title": title, "description": description}

    def _make_when(self, words: list[str], lines: list[str], line: int) -> Block:
        condition = dict(word.partition("=")[::2] for word in words)
        if not condition or not set(condition) <= {"cgroup", "runtime"} or not all(condition.values()):
            raise containers.ContainerError("write :::when cgroup=1, cgroup=2, runtime=crun or runtime=runc")
        return {"kind": "when", "condition": condition, "blocks": self.read(lines, line + 1)}

    def _aside(self, kind: str, words: list[str], lines: list[str], line: int) -> Block:
        return {"kind": "aside", "kind_of": kind, "title": " ".join(words) or kind.capitalize(), "html": self._inner(lines, line)}

    def _make_note(self, words: list[str], lines: list[str], line: int) -> Block:
        return self._aside("note", words, lines, line)

    def _make_warning(self, words: list[str], lines: list[str], line: int) -> Block:
        return self._aside("warning", words, lines, line)

    def _make_history(self, words: list[str], lines: list[str], line: int) -> Block:
        return self._aside("history", words, lines, line)

    @staticmethod
    def _must_be_empty(kind: str, lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            if line.strip():
                raise containers.ContainerError(f"a {kind} holds no text: close it in the next line, write this below", number)

    def _inner(self, lines: list[str], line: int) -> str:
        """Text and code of a container that holds no other."""
        blocks = self.read(lines, line + 1)
        for block in blocks:
            if block["kind"] not in ("html", "code", "transcript"):
                raise containers.ContainerError(f"a {block['kind']} can't stand in here")
        return "".join(block["html"] for block in blocks)
