"""A course's own ``checks/``: what the check scripts of several labs have in common.

A lab's script reaches them as ``/.bulkhead/checks/course/NAME``. Only what a lab uses goes into its bundle, so that a
change leaves the labs alone that have nothing to do with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labs.course.findings import Finding, Findings, nearest

WHERE = "/.bulkhead/checks/"
USE = re.compile(re.escape(WHERE) + r"(?P<name>[\w./-]+)")
FUNCTION = re.compile(r"^(?P<name>\w+)\(\) *\{.*?^\}", re.MULTILINE | re.DOTALL)
IN_BUNDLE = "checks/course/"


def used_by(lesson: Path) -> dict[str, Path]:
    """Place in the bundle -> file, of what the scripts of this lesson use, also by way of each other."""
    shared = _files(lesson.parent.parent / "checks")
    used: dict[str, Path] = {}
    waiting = list(_files(lesson / "checks").values())
    while waiting:
        for name, _line in _uses(waiting.pop()):
            file = shared.get(name.removeprefix("course/"))
            if name.startswith("course/") and file and IN_BUNDLE + name.removeprefix("course/") not in used:
                used[IN_BUNDLE + name.removeprefix("course/")] = file
                waiting.append(file)
    return used


def findings_of_lesson(lesson: Path) -> list[Finding]:
    """Uses of files that are not there, and copies of functions that the course has."""
    shared, own = _files(lesson.parent.parent / "checks"), _files(lesson / "checks")
    known = {**{f"course/{name}": file for name, file in shared.items()}, **own}
    bodies = {match[0]: name for name, file in shared.items() for match in FUNCTION.finditer(_text(file))}
    found: list[Finding] = []
    for file in own.values():
        findings = Findings(file)
        _complain_of_uses(file, known, findings)
        text = _text(file)
        for match in FUNCTION.finditer(text):
            if match[0] in bodies:
                findings.add(text.count("\n", 0, match.start()) + 1, "copy",
                             f"the course has {match['name']} already: write . {WHERE}course/{bodies[match[0]]}")
        found += findings
    if (lesson / IN_BUNDLE).exists():
        found.append(Finding(lesson / IN_BUNDLE, 1, "form", "checks/course is the place of the course's own checks"))
    return found


def findings_of_course(course: Path) -> list[Finding]:
    """Files that use others which are not there."""
    shared = _files(course / "checks")
    known = {f"course/{name}": file for name, file in shared.items()}
    found: list[Finding] = []
    for file in shared.values():
        findings = Findings(file)
        _complain_of_uses(file, known, findings)
        found += findings
    return found


def _complain_of_uses(file: Path, known: dict[str, Path], findings: Findings) -> None:
    for name, line in _uses(file):
        if name not in known:
            findings.add(line, "no-file", f"there is no {WHERE}{name}.{nearest(name, known)}")


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()}


def _uses(file: Path) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(_text(file).splitlines(), 1):
        for match in USE.finditer(line):
            yield match["name"], number


def _text(file: Path) -> str:
    return file.read_text(errors="replace")
