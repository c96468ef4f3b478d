"""The course in one page, docs/course.md: made from the lessons and labs, so that it can't be out of date.

Two columns are measured, by whoever wrote the page last: sizes of images, and how long ``./lab check`` took. What was
not measured now is taken over from the page as it is. ``without_measures`` is the page less these, for comparison.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from labs.course.claims import lessons_for, numbered, tasks
from labs.course.loader import Course, Lesson

UNKNOWN = "-"
HEAD = """# The course

Written by `./lab overview` from the lessons themselves; change those and run it again. Sizes and times are those of the
machine on which that was done last: an image's size is what it adds to the one below, a check's time is that of
`sudo ./lab check`, which solves the lab twice and resumes it.
"""
ROW = re.compile(r"^\| (\S+) .*\| (\S+) \|$", re.MULTILINE)


def page(courses: list[Course], recipes: Path, seconds: Mapping[str, float], sizes: Mapping[str, int], before: str) -> str:
    """The page. ``seconds`` by lesson's slug, ``sizes`` in MiB by image; ``before`` is the page as it was."""
    old = dict(ROW.findall(before))
    parts = [HEAD]
    for course in courses:
        parts.append(_lessons(course, seconds, old))
        parts.append(_claims(course))
    parts.append(_images(recipes, sizes, old))
    return "\n".join(parts)


def without_measures(text: str) -> str:
    """The page with every measured cell emptied."""
    return ROW.sub(lambda row: row[0][:row.start(2) - row.start()] + "|", text)


def _lessons(course: Course, seconds: Mapping[str, float], old: Mapping[str, str]) -> str:
    lines = [f"## {course.title}", "",
             "| lesson | title | minutes | tasks | claims | images | check, s |", "|---|---|---|---|---|---|---|"]
    for number, lesson in numbered(course):
        took = f"{seconds[lesson.slug]:.0f}" if lesson.slug in seconds else old.get(number, UNKNOWN)
        lines.append(f"| {number} | {lesson.title} | {lesson.minutes} | {len(tasks(lesson))} | {' '.join(lesson.claims)} "
                     f"| {' '.join(_images_of(lesson))} | {took} |")
    return "\n".join([*lines, ""])


def _images_of(lesson: Lesson) -> list[str]:
    return sorted({machine["image"] for machine in lesson.lab["machines"].values()}) if lesson.lab else [UNKNOWN]


def _claims(course: Course) -> str:
    lines = ["### What the notes claim, and where it is shown", "", "| claim | lessons |", "|---|---|"]
    for claim in course.claims:
        lines.append(f"| {claim} | {', '.join(number for number, _ in lessons_for(course, claim)) or 'none'} |")
    return "\n".join([*lines, ""])


def _images(recipes: Path, sizes: Mapping[str, int], old: Mapping[str, str]) -> str:
    lines = ["## Images", "", "| image | stands on | adds, MiB |", "|---|---|---|"]
    for folder in sorted(path.parent for path in recipes.glob("*/packages")):
        below = (folder / "from").read_text().strip() if (folder / "from").is_file() else UNKNOWN
        lines.append(f"| {folder.name} | {below} | {sizes.get(folder.name, old.get(folder.name, UNKNOWN))} |")
    return "\n".join([*lines, ""])
