"""From a course's folder to a Course, and to findings about everything that is wrong in it.

A lesson with findings is left out and named in its module's ``broken``; the others are there. The order of folders is
the order of modules and lessons; ``NN-`` before a name is cut off for its slug.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labs.course import shared_checks
from labs.course.exam_md import ExamFile
from labs.course.findings import Finding, Findings, nearest
from labs.course.lab_yaml import LabFile
from labs.course.lesson_md import LessonFile, Parsed
from labs.course.yaml_file import Node

NUMBER = re.compile(r"^\d+-")
NEEDS = ("labs", "exams")
"""What a certificate may ask for: every task of every lab, every module's exam."""


@dataclass(frozen=True)
class Lesson:
    """``document`` and ``lab`` are JSON; ``version`` changes when either does."""

    slug: str
    title: str
    summary: str
    minutes: int
    objectives: list[str]
    claims: list[str]
    document: dict[str, Any]
    lab: dict[str, Any] | None
    path: Path
    version: str


@dataclass(frozen=True)
class Module:
    slug: str
    title: str
    summary: str
    lessons: list[Lesson]
    broken: list[str] = field(default_factory=list)
    exam: dict[str, Any] | None = None
    is_exam_broken: bool = False


@dataclass(frozen=True)
class Course:
    slug: str
    title: str
    summary: str
    language: str
    licence: str
    claims: list[str]
    modules: list[Module]
    is_recorded: bool = True
    certificate: dict[str, Any] | None = None


def load_course(folder: Path) -> tuple[Course | None, list[Finding]]:
    """Read the course in ``folder``; None only if its course.yaml can't be used."""
    folder = Path(folder)
    findings = Findings(folder / "course.yaml")
    node = Node.parse(_read(folder / "course.yaml", findings), findings)
    if not node.is_mapping():
        findings.add(1, "form", "course.yaml must be a mapping with 'title', 'summary' and 'claims'")
        return None, sorted(findings)
    node.only(("title", "summary", "language", "licence", "claims", "modules", "recording", "certificate"))
    claims = node.texts("claims")
    course = Course(slug_of(folder), node.text("title", most=200), node.text("summary"), node.text("language", "en"),
                    node.text("licence", ""), claims, [], node.flag("recording", True), _certificate(node.get("certificate")))
    for module_folder in _folders(folder, "module.yaml", node.texts("modules")):
        module, found = _load_module(module_folder, course)
        course.modules.append(module)
        findings += found
    return course, sorted([*findings, *shared_checks.findings_of_course(folder)])


def _load_module(folder: Path, course: Course) -> tuple[Module, list[Finding]]:
    findings = Findings(folder / "module.yaml")
    node = Node.parse(_read(folder / "module.yaml", findings), findings)
    node.only(("title", "summary", "lessons"))
    module = Module(slug_of(folder), node.text("title", folder.name, most=200), node.text("summary", ""), [])
    for lesson_folder in _folders(folder, "lesson.md", node.texts("lessons")):
        lesson, found = load_lesson(lesson_folder, course.slug, course.claims, course.is_recorded)
        findings += found
        if lesson:
            module.lessons.append(lesson)
        else:
            module.broken.append(slug_of(lesson_folder))
    if (folder / "exam.md").is_file():
        exam = ExamFile(folder, [lesson.slug for lesson in module.lessons] + module.broken)
        read = exam.read()
        findings += exam.findings
        module = replace(module, exam=None if exam.findings else read, is_exam_broken=bool(exam.findings))
    return module, list(findings)


def _certificate(node: Node | None) -> dict[str, Any] | None:
    """{"hours", "needs"} of a course that gives one."""
    if node is None:
        return None
    node.only(("hours", "needs"))
    needs = node.texts("needs") or list(NEEDS)
    for need in needs:
        if need not in NEEDS:
            node.get("needs").complain("form", f"a certificate may need {', '.join(NEEDS)}, not {need!r}.{nearest(need, NEEDS)}")
    return {"hours": int(node.number("hours", 1, 1, 1000)), "needs": needs}


def load_lesson(folder: Path, course: str, claims: list[str] | None,
                is_recorded: bool = True) -> tuple[Lesson | None, list[Finding]]:
    """Read one lesson; None if there is a finding. ``claims`` are those the course knows, None asks nothing."""
    text = LessonFile(folder)
    parsed = text.read()
    findings: list[Finding] = text.findings
    for claim in parsed.claims if claims is not None else []:
        if claim not in claims:
            findings.add(parsed.claims_line, "claim", f"course.yaml has no claim {claim!r}.{nearest(claim, claims)}")
    lab = None
    if (folder / "lab.yaml").is_file():
        file = LabFile(folder)
        lab = file.document()
        findings = [*findings, *file.findings, *shared_checks.findings_of_lesson(folder),
                    *(_cross_check(text, file, lab) if lab else [])]
        if len(lab.get("machines", {})) > 1:
            _name_machines([parsed.document, parsed.solutions], next(iter(lab["machines"])))
        lab = {"format": 1, "course": course, "lesson": slug_of(folder), **lab, "solutions": parsed.solutions,
               "steps": [step["id"] for step in parsed.document["steps"] if step["id"]],
               **({} if is_recorded else {"recording": False})}
    elif parsed.solutions:
        text.findings.add(1, "no-lab", "there are solutions and no lab.yaml")
    if findings:
        return None, sorted(findings)
    return Lesson(slug_of(folder), parsed.title, parsed.summary, parsed.minutes, parsed.objectives, parsed.claims,
                  parsed.document, lab, folder, _version(parsed, lab)), []


def _cross_check(text: LessonFile, file: LabFile, lab: dict[str, Any]) -> list[Finding]:
    """What needs both files: tasks and steps belong together, and every step with tasks can be solved."""
    findings, lesson = Findings(file.findings.path), Findings(text.findings.path)
    steps = {step["id"] for step in text.parsed.document["steps"] if step["id"]}
    tasks = {task["id"]: task for task in lab.get("tasks", [])}
    shown = {(name, step) for kind, name, step, _ in text.parsed.places if kind == "task"}
    solved = {step for kind, _, step, _ in text.parsed.places if kind == "solution"}
    for name, task in tasks.items():
        line = file.task_lines.get(name, 1)
        if task["step"] not in steps:
            findings.add(line, "step", f"lesson.md has no step {task['step']!r}.{nearest(task['step'], steps)}")
        elif (name, task["step"]) not in shown:
            findings.add(line, "task", f"lesson.md does not show :::task {name} in the step {task['step']!r}")
        elif task["step"] not in solved:
            findings.add(line, "solution", f"the step {task['step']!r} has no :::solution in lesson.md")
    for kind, name, _step, line in text.parsed.places:
        if kind == "task" and name not in tasks:
            lesson.add(line, "task", f"lab.yaml has no task {name!r}.{nearest(name, tasks)}")
        if kind == "machine" and name not in lab.get("machines", {}):
            lesson.add(line, "machine", f"lab.yaml has no machine {name!r}.{nearest(name, lab.get('machines', {}))}")
    return [*findings, *lesson]


def _name_machines(node: Any, first: str) -> None:
    """A block to run that names no machine means the lab's first; what stores a lab may not keep that order."""
    if isinstance(node, list):
        for each in node:
            _name_machines(each, first)
    elif isinstance(node, dict):
        for key in ("run", "machine"):
            if node.get(key) == "":
                node[key] = first
        for value in node.values():
            _name_machines(value, first)


def slug_of(folder: Path) -> str:
    return NUMBER.sub("", folder.name)


def _folders(folder: Path, file: str, order: list[str]) -> list[Path]:
    """Folders that hold ``file``: those of ``order`` first and in its order, then the others by name."""
    found = sorted(path.parent for path in folder.glob(f"*/{file}"))
    return sorted(found, key=lambda path: order.index(path.name) if path.name in order else len(order))


def _read(path: Path, findings: Findings) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        findings.add(1, "no-file", f"it can't be read: {error.strerror}")
        return ""


def _version(parsed: Parsed, lab: dict[str, Any] | None) -> str:
    return hashlib.sha256(json.dumps([parsed.document, lab], sort_keys=True).encode()).hexdigest()
