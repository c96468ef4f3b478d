"""exam.md: a module's pool of questions, each under the lesson that it is about, and how its final exam is made of them.

The questions are those of :::quiz in lesson.md. A question's id is made of its words, so that what somebody has been
asked is known again in another version of the pool.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from labs.course import containers
from labs.course.findings import Findings, nearest
from labs.course.yaml_file import Node

FRONT_KEYS = ("questions", "pass", "wait")
LESSON = re.compile(r"##\s+(?P<lesson>\S+)\s*$")
LEAST_POOL = 2
"""So many times the questions of one exam: the next attempt is asked others."""


class ExamFile:
    """Reads one exam.md; ``findings`` fills while ``read`` runs."""

    def __init__(self, folder: Path, lessons: Collection[str]):
        self.lessons = lessons
        self.findings = Findings(folder / "exam.md")
        self.lines = (folder / "exam.md").read_text(errors="replace").splitlines()
        self.pool: list[dict[str, Any]] = []

    def read(self) -> dict[str, Any]:
        """{"questions", "pass_percent", "wait_minutes", "pool"}; to be used only if there are no findings."""
        front, begin = self._front_matter()
        count = int(front.number("questions", 10, 1, 100))
        self._questions(begin)
        if not self.findings and len(self.pool) < LEAST_POOL * count:
            self.findings.add(1, "pool", f"an exam of {count} questions needs a pool of at least {LEAST_POOL * count}: "
                              f"a second attempt is asked others; there are {len(self.pool)}")
        return {"questions": count, "pass_percent": int(front.number("pass", 75, 1, 100)),
                "wait_minutes": int(front.number("wait", 30, 0, 7 * 24 * 60)), "pool": self.pool}

    def _front_matter(self) -> tuple[Node, int]:
        marks = [index for index, line in enumerate(self.lines) if line.strip() == "---"]
        if len(marks) < 2 or marks[0] != 0:
            self.findings.add(1, "front-matter", "an exam begins with front matter between two lines of ---")
            return Node(None, self.findings), 0
        node = Node.parse("\n".join(self.lines[1:marks[1]]), self.findings, first_line=1)
        node.only(FRONT_KEYS)
        return node, marks[1] + 1

    def _questions(self, begin: int) -> None:
        """Cut the rest at its headings: ## begins a lesson's questions, ### a question."""
        heads = [index for index in range(begin, len(self.lines)) if self.lines[index].startswith(("## ", "### "))]
        if not heads:
            self.findings.add(1, "pool", "there is no question: write ## and a lesson's name, then questions under ###")
        lesson = ""
        for index, end in zip(heads, [*heads[1:], len(self.lines)], strict=True):
            if not self.lines[index].startswith("### "):
                lesson = self._lesson(index)
            elif not lesson:
                self.findings.add(index + 1, "lesson", "say above what lesson this question is about: ## and its name")
            else:
                self._question(lesson, index, end)

    def _lesson(self, index: int) -> str:
        found = LESSON.match(self.lines[index])
        name = found["lesson"] if found else self.lines[index].removeprefix("## ").strip()
        if name not in self.lessons:
            self.findings.add(index + 1, "lesson", f"this module has no lesson {name!r}.{nearest(name, self.lessons)}")
        return name

    def _question(self, lesson: str, index: int, end: int) -> None:
        try:
            question = containers.question("", self.lines[index:end], 0)
        except containers.ContainerError as error:
            self.findings.add(index + error.line + 1, "question", str(error))
            return
        words = f"{lesson}\0{question['prompt_html']}"
        question |= {"id": hashlib.sha256(words.encode()).hexdigest()[:12], "lesson": lesson}
        if any(known["id"] == question["id"] for known in self.pool):
            self.findings.add(index + 1, "twice", "this question is there already")
        self.pool.append(question)
