"""``python -m labs.course lint PATH...`` and ``publish FOLDER PATH...``: the format without the site."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labs.course import bundle, loader
from labs.course.findings import Finding


def courses_at(path: Path) -> list[Path]:
    """The course folders that ``path`` is, holds or lies in."""
    path = path.resolve()
    for folder in (path, *path.parents):
        if (folder / "course.yaml").is_file():
            return [folder]
    return sorted(file.parent for file in path.glob("*/course.yaml"))


def lessons_at(path: Path) -> tuple[list[loader.Lesson], list[Finding]]:
    """The lessons at or below ``path``, and the findings there."""
    lessons, findings = [], []
    found = courses_at(path)
    if not found:
        findings.append(Finding(path, 1, "no-course", "there is no course.yaml here, above or below"))
    for folder in found:
        course, bad = loader.load_course(folder)
        findings += [finding for finding in bad if _below(finding.path, path)]
        lessons += [lesson for module in (course.modules if course else []) for lesson in module.lessons
                    if _below(lesson.path, path)]
    return lessons, findings


def _below(path: Path, top: Path) -> bool:
    return path.resolve().is_relative_to(top.resolve())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m labs.course", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lint").add_argument("paths", nargs="+", type=Path)
    publish = commands.add_parser("publish")
    publish.add_argument("folder", type=Path)
    publish.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args(argv)
    lessons, findings = [], []
    for path in arguments.paths:
        some, bad = lessons_at(path)
        lessons += some
        findings += bad
    for finding in findings:
        print(finding, file=sys.stderr if arguments.command == "publish" else sys.stdout)
    if arguments.command == "lint":
        print(f"{len(lessons)} lessons, {len(findings)} findings")
    else:
        for lesson in lessons:
            if lesson.lab:
                print(bundle.publish(lesson, arguments.folder), lesson.path)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
