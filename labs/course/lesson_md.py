"""lesson.md: front matter, and steps with their blocks.

The file is read line by line: headings with an id begin steps, what is between them is for blocks.py. ``Parsed`` is what the
loader joins with the lab; ``document`` in it is what pages show (the block kinds are listed in docs/lab-format.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.course import html, terms
from labs.course.blocks import BlockReader
from labs.course.findings import Findings, nearest
from labs.course.yaml_file import Node

FRONT_KEYS = ("title", "summary", "minutes", "objectives", "claims")
HEADING = re.compile(r"##\s+(?P<title>.+?)\s*(?:\{#(?P<id>[a-z0-9][a-z0-9-]*)\})?\s*$")


@dataclass
class Parsed:
    """One lesson's text. ``places`` are the lines of tasks, solutions and machines named in it, for cross-checks."""

    title: str = ""
    summary: str = ""
    minutes: int = 0
    objectives: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    solutions: list[dict[str, Any]] = field(default_factory=list)
    places: list[tuple[str, str, str, int]] = field(default_factory=list)
    claims_line: int = 1


class LessonFile:
    """Reads one lesson.md; ``findings`` fills while ``read`` runs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.findings = Findings(folder / "lesson.md")
        self.parsed = Parsed()
        self.blocks = BlockReader(folder, self.findings)

    def read(self) -> Parsed:
        text = (self.folder / "lesson.md").read_text(errors="replace")
        lines = text.splitlines()
        begin = self._front_matter(lines)
        steps: list[dict[str, Any]] = [{"id": "", "title": "", "blocks": []}]
        self.blocks.step = ""
        start = begin
        for number in range(begin, len(lines) + 1):
            heading = HEADING.match(lines[number]) if number < len(lines) and not self._in_fence(lines, begin, number) else None
            if heading or number == len(lines):
                steps[-1]["blocks"] += self.blocks.read(lines[start:number], start + 1)
                start = number + 1
            if heading:
                self.blocks.step = heading["id"] or ""
                if heading["id"]:
                    self.blocks.take_id(heading["id"], number + 1)
                    steps.append({"id": heading["id"], "title": heading["title"], "blocks": []})
                else:
                    steps[-1]["blocks"].append({"kind": "html", "html": html.render(f"## {heading['title']}")})
                    self.blocks.step = steps[-1]["id"]
        opening = next((number for number in range(begin, len(lines)) if HEADING.match(lines[number])), len(lines))
        self.parsed.document = {"steps": steps, "terms": [term.to_json() for term in terms.find(lines[begin:opening])]}
        self.parsed.solutions, self.parsed.places = self.blocks.solutions, self.blocks.places
        for kind, name, _, line in self.blocks.places:
            if kind == "measure" and name not in self.blocks.ids:
                self.findings.add(line, "unknown-measure",
                                  f"this lesson has no :::measure {name}.{nearest(name, self.blocks.ids)}")
        return self.parsed

    def _front_matter(self, lines: list[str]) -> int:
        """Read the block between the first two ``---``; the index of the line behind it."""
        if not lines or lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
            self.findings.add(1, "front-matter", "a lesson begins with front matter between two lines of ---")
            return 0
        end = next(index for index, line in enumerate(lines[1:], 1) if line.strip() == "---")
        node = Node.parse("\n".join(lines[1:end]), self.findings, first_line=1)
        node.only(FRONT_KEYS)
        parsed = self.parsed
        parsed.title, parsed.summary = node.text("title", most=200), node.text("summary", most=500)
        parsed.minutes = int(node.number("minutes", 15, 1, 240))
        parsed.objectives, parsed.claims = node.texts("objectives"), node.texts("claims")
        parsed.claims_line = node.get("claims").line if node.get("claims") else 1
        return end + 1

    @staticmethod
    def _in_fence(lines: list[str], begin: int, number: int) -> bool:
        return sum(1 for line in lines[begin:number] if line.startswith("```")) % 2 == 1
