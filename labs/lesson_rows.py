"""The rows behind a lesson's page, for one reader: two queries, however long the lesson is and however much was done in it.

Nothing is remembered between two pages but what a text says (``lesson_text``): what is asked here is true now.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import Http404
from django.utils.translation import get_language

from labs import lesson_text
from labs.models import Course, LabSession, Lesson, Module

Row = dict[str, Any]
LESSON = ("id", "module_id", "slug", "title", "summary", "minutes", "html_version", "lab_digest", "position")
MODULE = ("id", "course_id", "slug", "title", "position")
COURSE = ("id", "slug", "title")
LATEST = f"CASE WHEN state IN ({', '.join(repr(str(state)) for state in LabSession.ACTIVE)}) THEN 0 ELSE 1 END, queued_at DESC"
"""The session that runs, whatever the clock said when others were begun; else the last."""


def _column(model: type[Any], name: str) -> str:
    """What the row of OPENED calls a column that is not the session's."""
    return f"of_{model._meta.model_name}_{name}"


def _columns(model: type[Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{model._meta.model_name}.{name} AS {_column(model, name)}" for name in names)


OPENED = f"""
SELECT {", ".join(f"run.{field.column}" for field in LabSession._meta.concrete_fields)},
    {_columns(Lesson, LESSON)}, {_columns(Module, MODULE)}, {_columns(Course, COURSE)},
    CAST(lesson.document AS text) AS document_text, CAST(lesson.lab AS text) AS lab_text
FROM labs_lesson lesson JOIN labs_module module ON module.id = lesson.module_id
    JOIN labs_course course ON course.id = module.course_id
    LEFT JOIN labs_labsession run ON run.lesson_id = lesson.id AND run.user_id = %(user)s
WHERE course.slug = %(course)s AND module.slug = %(module)s AND lesson.slug = %(lesson)s
ORDER BY {LATEST} LIMIT 1"""  # noqa: S608  (names of columns, and parameters)
"""By hand, because Django takes 1.7 ms to write the same, and the database 0.06 to answer it."""
MINE = "WHERE user_id = %(user)s AND lesson_id = %(lesson)s"
MARKS = f"""
SELECT 'task', task, state, why, saw, CASE WHEN passed_at IS NULL THEN 0 ELSE 1 END, 0.0 FROM labs_taskresult {MINE}
UNION ALL SELECT 'hint', hint, '', '', '', 0, 0.0 FROM labs_hinttaken {MINE}
UNION ALL SELECT 'answer', block, CAST(given AS text), '', '', CAST(correct AS integer), 0.0 FROM labs_answer {MINE}
UNION ALL SELECT 'measured', block, '', '', '', 0, value FROM labs_measurement {MINE}
UNION ALL SELECT 'read', step, '', '', '', 0, 0.0 FROM labs_readingmark {MINE}
UNION ALL SELECT 'terminal', machine, title, state, '', number, 0.0 FROM labs_terminal WHERE session_id =
    (SELECT id FROM labs_labsession {MINE} ORDER BY {LATEST} LIMIT 1)"""  # noqa: S608  (MINE is above, and holds parameters)
"""By hand, because Django takes 2 ms to write this union, and SQLite and PostgreSQL 0.1 to answer it."""


@dataclass
class Marks:
    """What one reader did in one lesson, by the id of the task, hint, block or section."""

    tasks: dict[str, Row] = field(default_factory=dict)
    hints: set[str] = field(default_factory=set)
    answers: dict[str, Row] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    terminals: list[Row] = field(default_factory=list)


def open_lesson(user: Any, course: str, module: str, lesson: str) -> tuple[Lesson, LabSession | None]:
    """The lesson and this reader's last session of it, in one query; Http404 if there is no such lesson.

    The lesson's document, as its page shows it, and its lab are shared with other pages: nobody may change them. Django
    fetches what else is asked of the rows.
    """
    address = {"course": course, "module": module, "lesson": lesson}
    row = next(iter(LabSession.objects.raw(OPENED, {**address, "user": user.pk})), None)
    if row is None:
        raise Http404
    found = _made(Lesson, LESSON, row)
    found.module = _made(Module, MODULE, row)
    found.module.course = _made(Course, COURSE, row)
    found.document = lesson_text.rendered(row.document_text, get_language() or settings.LANGUAGE_CODE)
    found.lab = lesson_text.decoded(row.lab_text or "null")
    return found, row if row.pk else None


def _made(model: type[Any], names: tuple[str, ...], row: LabSession) -> Any:
    return model.from_db(row._state.db, names, [getattr(row, _column(model, name)) for name in names])


def marks(user: Any, lesson: Lesson) -> Marks:
    """The reader's own, and the terminals of their last session, in one query. Somebody who is signed out has none."""
    found = Marks()
    if user.is_authenticated:
        with connection.cursor() as cursor:
            cursor.execute(MARKS, {"user": user.pk, "lesson": lesson.pk})
            for kind, *columns in cursor:
                _note(found, kind, *columns)
        found.terminals.sort(key=lambda terminal: terminal["number"])
    return found


def _note(found: Marks, kind: str, name: str, text: str, why: str, saw: str, count: int, value: float) -> None:
    match kind:
        case "task":
            found.tasks[name] = {"state": text, "why": why, "saw": saw, "passed": bool(count)}
        case "hint":
            found.hints.add(name)
        case "answer":
            found.answers[name] = {"given": json.loads(text), "correct": bool(count)}
        case "measured":
            found.measured[name] = value
        case "read":
            found.read.add(name)
        case "terminal":
            found.terminals.append({"number": count, "machine": name, "title": text, "state": why})
