"""Which sections of a lesson somebody has read to their end. The page's script says so; the reader may take it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labs.models import Lesson, ReadingMark


def sections(document: dict[str, Any]) -> list[dict[str, str]]:
    """The steps that have a title, in order: what can be marked."""
    return [{"id": step["id"], "title": step["title"]} for step in document.get("steps", []) if step["id"]]


def mark(user: Any, lesson: Lesson, step: str) -> bool:
    """Remember one section, or all for an empty name; False if the lesson has no such section. Repeats safely."""
    known = [section["id"] for section in sections(lesson.document)]
    for name in known if not step else [step] if step in known else []:
        ReadingMark.objects.update_or_create(user=user, lesson=lesson, step=name)
    return not step or step in known


def unmark(user: Any, lesson: Lesson) -> None:
    ReadingMark.objects.filter(user=user, lesson=lesson).delete()


def marks_of(user: Any) -> dict[int, dict[str, datetime]]:
    """lesson's id -> section -> when it was last read to its end."""
    found: dict[int, dict[str, datetime]] = {}
    if user.is_authenticated:
        for lesson, step, at in ReadingMark.objects.filter(user=user).values_list("lesson_id", "step", "at"):
            found.setdefault(lesson, {})[step] = at
    return found


def next_section(known: list[dict[str, str]], marks: dict[str, datetime]) -> dict[str, str] | None:
    """Where to go on: behind the section read last, else the first unread one; None if nothing or everything is read."""
    read = [section["id"] for section in known if section["id"] in marks]
    if not read or len(read) == len(known):
        return None
    last = max(read, key=lambda step: marks[step])
    at = [section["id"] for section in known].index(last)
    return next((section for section in [*known[at + 1:], *known] if section["id"] not in marks), None)
