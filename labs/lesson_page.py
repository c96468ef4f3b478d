"""What a lesson's page shows one reader: the loaded document with this reader's tasks, answers and numbers in it.

Pure assembly over rows that were fetched at once; a page costs the same few queries however long its lesson is.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.context_processors import csrf
from django.urls import reverse
from django.utils.translation import gettext as _

from labs import agent_client, lesson_blocks, lesson_rows, notices, reading, rewinding, sessions
from labs.limit_sliders import limit_sliders
from labs.models import LabSession, Measurement
from runtime_agent import protocol
from runtime_agent.protocol.reasons import REASONS

Address = tuple[str, str, str]
"""The slugs of course, module and lesson."""
UNTOUCHED = {"state": "open", "why": "", "saw": "", "passed": False}
HOPELESS = frozenset({"unknown-image", "unknown-profile", "bad-limit"})
"""Reasons that lie in the lab itself: trying again meets the same one."""


def stage_labels() -> dict[str, str]:
    """What each stage of a start is called on the page."""
    return dict(zip(protocol.STAGES, (
        _("A worker host has taken it"), _("Making its disk"), _("Laying its root file system"),
        _("Starting its first process"), _("Setting the lab up"), _("Opening a terminal")), strict=True))


class Reader:
    """Everything one user has done in one lesson."""

    def __init__(self, user: Any, address: Address):
        self.user, self.is_known = user, user.is_authenticated
        self.lesson, self.session = lesson_rows.open_lesson(user, *address)
        self.marks = lesson_rows.marks(user, self.lesson)

    @cached_property
    def _class(self) -> dict[str, list[float]]:
        """What everybody measured in this lesson, by block; asked only for somebody who measured, too."""
        values: dict[str, list[float]] = {}
        for block, value in Measurement.objects.filter(lesson=self.lesson).values_list("block", "value"):
            values.setdefault(block, []).append(value)
        return values

    def class_values(self, block: str) -> list[float]:
        return self._class.get(block, [])

    def tasks(self) -> list[dict[str, Any]]:
        return [self._task(task) for task in (self.lesson.lab or {}).get("tasks", [])]

    def _task(self, task: dict[str, Any]) -> dict[str, Any]:
        found = self.marks.tasks.get(task["id"], UNTOUCHED)
        return {"id": task["id"], "title": task["title"], "step": task["step"], "points": task["points"], **found}


def context(request: HttpRequest, address: Address, wrong: dict[str, dict[str, str]] | None = None,
            with_text: bool = True) -> dict[str, Any]:
    """The whole context of labs/lesson.html. ``wrong`` is what was just sent in vain (``lesson_blocks.Known``).
    Without the text a step has no HTML.
    Raises Http404 if there is no such lesson."""
    reader, token = Reader(request.user, address), csrf(request)["csrf_token"]
    lesson, tasks = reader.lesson, reader.tasks()
    module = lesson.module
    hosts = agent_client.living_hosts() if lesson.lab else {}
    if hosts and may_start(reader):
        agent_client.note_opened(lesson.lab_digest)
    neighbours = lesson.document.get("neighbours", {})
    known = lesson_blocks.Known(
        reader, {task["id"]: task for task in tasks}, reader_facts(reader.session, hosts), wrong or {}, token)
    return {
        "course": module.course, "module": module, "lesson": lesson, "lab": lesson.lab, "tasks": tasks,
        "document": document(known, with_text), "csrf_token": token, "session": session_facts(reader.session),
        "machines": list((reader.session or lesson).lab["machines"]) if lesson.lab else [],
        "previews": (reader.session or lesson).lab.get("previews", []) if lesson.lab else [],
        "terminals": reader.marks.terminals,
        "next_task": next((task for task in tasks if task["state"] != "passed"), None),
        "progress": {"passed": sum(task["passed"] for task in tasks), "total": len(tasks)},
        "reading": {"read": len(reader.marks.read), "total": len(reading.sections(lesson.document))},
        "previous_lesson": neighbours.get("previous"), "next_lesson": neighbours.get("next"), "worker_available": bool(hosts),
        "signup_open": settings.SIGNUP_OPEN,
        "limit_sliders": limit_sliders(reader.session.lab if reader.session else lesson.lab), "stages": stages(reader.session),
        "session_create_url": reverse("session-create", args=address)}


def may_start(reader: Reader) -> bool:
    """Could this reader's next click start a new sandbox?"""
    return reader.is_known and not (reader.session and (reader.session.is_active or sessions.can_resume(reader.session)))


# --- the session ------------------------------------------------------------------------------------------


def session_facts(session: LabSession | None) -> LabSession | None:
    """The row with what only a page asks: the sentence of its reason, its place, what may be done with it."""
    if session is None:
        return None
    reason = REASONS.get(session.reason)
    session.sentence = reason.sentence if reason else ""
    session.is_unreachable = notices.is_unreachable(session)
    session.stand = notices.stand_of(session, session.is_unreachable)
    session.unreachable_sentence = REASONS["unreachable"].sentence
    session.position = notices.position(session) if session.state == LabSession.State.QUEUED else None
    session.can_extend = bool(session.deadline_at and session.expires_at and session.expires_at < session.deadline_at)
    session.can_resume = sessions.can_resume(session)
    session.is_thrown_away = session.reason == sessions.THROWN_AWAY
    session.kept_days, session.undo_minutes = settings.SESSION_KEPT_DAYS, sessions.UNDO_MINUTES
    session.can_retry = session.reason not in HOPELESS
    return session


def stages(session: LabSession | None) -> list[dict[str, str]]:
    names = list(protocol.STAGES)
    at = names.index(session.stage) if session and session.stage in names else -1
    return [{"name": name, "label": label, "at": "done" if index < at else "now" if index == at else "next"}
            for index, (name, label) in enumerate(stage_labels().items())]


# --- the document -----------------------------------------------------------------------------------------


def document(known: lesson_blocks.Known, with_text: bool = True) -> dict[str, Any]:
    """The lesson's document in which every step knows its HTML and its state: new objects, as the document is shared."""
    shared = known.reader.lesson.document
    return {**shared, "steps": [_step(step, known, with_text) for step in shared.get("steps", [])]}


def _step(step: dict[str, Any], known: lesson_blocks.Known, with_text: bool) -> dict[str, Any]:
    session, tasks = known.reader.session, [task for task in known.tasks.values() if task["step"] == step["id"]]
    passed = sum(task["passed"] for task in tasks)
    return {**step, "html": lesson_blocks.html(step, known) if with_text else "",
            "can_start_over": rewinding.can_start_over(session, step["id"]),
            "why_not": rewinding.why_not(session, step["id"]), "is_read": step["id"] in known.reader.marks.read,
            "done": "all" if tasks and passed == len(tasks) else "some" if passed else "none"}


def reader_facts(session: LabSession | None, hosts: dict[str, Any]) -> dict[str, str]:
    """What :::when asks: of the running sandbox, else of the hosts it would run on."""
    known = (session.facts if session and session.is_active else None) or next(iter(hosts.values()), {})
    return {name: str(known[name]) for name in ("cgroup", "runtime") if name in known}
