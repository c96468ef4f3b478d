"""The format without the site: ``python -m labs.course lint [--claims] PATH...``, ``publish FOLDER PATH...``, and
``overview PAGE MEASURED PATH...``, which writes the course on one page with what the JSON file MEASURED holds."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from labs.course import bundle, claims, loader, overview
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


def courses_below(paths: list[Path]) -> list[loader.Course]:
    """Every course that can be read, whole, whatever part of it was named."""
    folders = dict.fromkeys(folder for path in paths for folder in courses_at(path))
    return [course for course, _ in map(loader.load_course, folders) if course]


def show_claims(paths: list[Path]) -> int:
    """Print who makes which claim good; 1 if somebody is missing."""
    missing: list[str] = []
    for course in courses_below(paths):
        lines, none = claims.listing(course)
        print("\n".join(lines))
        missing += none
    print(f"no lesson for: {', '.join(missing)}" if missing else "every claim has its lesson")
    return 1 if missing else 0


def write_overview(file: Path, measured: Path, paths: list[Path]) -> int:
    found = json.loads(measured.read_text())
    before = file.read_text() if file.exists() else ""
    recipes = Path(__file__).parents[1] / "images"
    file.write_text(overview.page(courses_below(paths), recipes, found["seconds"], found["sizes"], before))
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _below(path: Path, top: Path) -> bool:
    return path.resolve().is_relative_to(top.resolve())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m labs.course", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    lint = commands.add_parser("lint")
    lint.add_argument("--claims", action="store_true", help="list who makes which claim good; nothing else")
    summary = commands.add_parser("overview")
    summary.add_argument("page", type=Path)
    summary.add_argument("measured", type=Path)
    publish = commands.add_parser("publish")
    publish.add_argument("folder", type=Path)
    for command in (lint, summary, publish):
        command.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.command == "overview":
        return write_overview(arguments.page, arguments.measured, arguments.paths)
    if arguments.command == "lint" and arguments.claims:
        return show_claims(arguments.paths)
    return read(arguments)


def read(arguments: argparse.Namespace) -> int:
    """lint and publish; 1 if there are findings."""
    lessons, findings = [], []
    for path in arguments.paths:
        some, bad = lessons_at(path)
        lessons += some
        findings += bad
    for finding in findings:
        print(finding, file=sys.stderr if arguments.command == "publish" else sys.stdout)
    if arguments.command == "lint":
        print(f"{_count(len(lessons), 'lesson')}, {_count(len(findings), 'finding')}")
    else:
        for lesson in lessons:
            if lesson.lab:
                print(bundle.publish(lesson, arguments.folder), lesson.path)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
