"""How far somebody is in a course, and where they go on: what the course's home and the progress page list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labs import exams, lesson_text, reading
from labs.models import LabSession, Lesson, Module, TaskResult


def of(user: Any, modules: list[Module]) -> list[dict[str, Any]]:
    """Modules with their lessons (``lesson_text.as_text``), each with tasks and sections, passed and read, and with the
    state of the exam."""
    passed = _passed(user)
    marks, exam_states = reading.marks_of(user), exams.states(user, modules)
    return [{"slug": module.slug, "title": module.title, "summary": module.summary, "course": module.course.slug,
             "exam": {**exam_states[module.pk], "questions": module.exam["questions"]} if module.exam else None,
             "lessons": [_lesson(lesson, passed.get(lesson.pk, 0), marks.get(lesson.pk, {})) for lesson in module.lessons.all()]}
            for module in modules]


def _passed(user: Any) -> dict[int, int]:
    found: dict[int, int] = {}
    if user.is_authenticated:
        for lesson in TaskResult.objects.filter(user=user, passed_at__isnull=False).values_list("lesson_id", flat=True):
            found[lesson] = found.get(lesson, 0) + 1
    return found


def _lesson(lesson: Lesson, passed: int, marks: dict[str, datetime]) -> dict[str, Any]:
    sections, lab = lesson_text.sections(lesson.document_text), lesson_text.decoded(lesson.lab_text or "null") or {}
    total, read = len(lab.get("tasks", [])), sum(section["id"] in marks for section in sections)
    is_done = passed == total if total else bool(sections) and read == len(sections)
    return {"id": lesson.pk, "number": lesson.number, "title": lesson.title, "summary": lesson.summary, "minutes": lesson.minutes,
            "url": lesson.get_absolute_url(), "passed": passed, "total": total, "read": read, "sections": len(sections),
            "is_done": is_done, "next_section": reading.next_section(sections, marks),
            "read_at": max(marks.values(), default=None)}


def where_to_continue(user: Any, lessons: list[dict[str, Any]]) -> dict[str, Any]:
    """The unfinished lesson last read or worked in, at its next section; else the first unfinished one; empty
    when all is done."""
    last = last_lesson(user, lessons)
    unfinished = [lesson for lesson in lessons if not lesson["is_done"]]
    found = next((lesson for lesson in unfinished if lesson["id"] == last), None) or next(iter(unfinished), None)
    if found is None:
        return {}
    section = found["next_section"]
    return {"continue_lesson": found, "continue_url": f"{found['url']}#{section['id']}" if section else found["url"],
            "continue_started": last is not None, "continue_step": section["title"] if section else ""}


def last_lesson(user: Any, lessons: list[dict[str, Any]]) -> int | None:
    """The lesson with the newest trace: a section read, or a sandbox asked for."""
    if not user.is_authenticated:
        return None
    traces = [(lesson["read_at"], lesson["id"]) for lesson in lessons if lesson["read_at"]]
    traces += LabSession.objects.filter(user=user).values_list("queued_at", "lesson_id")[:1]
    return max(traces)[1] if traces else None
