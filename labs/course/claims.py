"""Which lesson makes which claim of the course good. A claim needs a lesson that names it and has a task to prove it by."""

from __future__ import annotations

from labs.course.loader import Course, Lesson

Placed = tuple[str, Lesson]
"""A lesson with its number in the course, such as 2.7."""


def numbered(course: Course) -> list[Placed]:
    """Every lesson in order, each with its number."""
    return [(f"{module_number}.{lesson_number}", lesson) for module_number, module in enumerate(course.modules, 1)
            for lesson_number, lesson in enumerate(module.lessons, 1)]


def tasks(lesson: Lesson) -> list[str]:
    return [task["id"] for task in lesson.lab["tasks"]] if lesson.lab else []


def lessons_for(course: Course, claim: str) -> list[Placed]:
    """The lessons that make ``claim`` good: those that name it and have tasks."""
    return [(number, lesson) for number, lesson in numbered(course) if claim in lesson.claims and tasks(lesson)]


def listing(course: Course) -> tuple[list[str], list[str]]:
    """A line for each claim of course.yaml and lesson, and the claims that no lesson makes good."""
    lines, missing = [], []
    for claim in course.claims:
        found = lessons_for(course, claim)
        lines += [f"{claim:4} {number:5} {lesson.title}: {', '.join(tasks(lesson))}" for number, lesson in found]
        if not found:
            lines.append(f"{claim:4} -     no lesson with a task makes it good")
            missing.append(claim)
    return lines, missing
