"""What a lesson's page shows one reader: the loaded document with this reader's tasks, answers and numbers in it.

Pure assembly over rows that were fetched at once; a page costs the same few queries however long its lesson is.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from labs import agent_client, marking, notices, numbers, reading, rewinding, sessions, widgets
from labs.limit_sliders import limit_sliders
from labs.models import Answer, HintTaken, LabSession, Lesson, Measurement, ReadingMark, TaskResult
from runtime_agent import protocol

Block = dict[str, Any]
HOPELESS = frozenset({"unknown-image", "unknown-profile", "bad-limit"})
"""Reasons that lie in the lab itself: trying again meets the same one."""


def stage_labels() -> dict[str, str]:
    """What each stage of a start is called on the page."""
    return dict(zip(protocol.STAGES, (
        _("A worker host has taken it"), _("Making its disk"), _("Laying its root file system"),
        _("Starting its first process"), _("Setting the lab up"), _("Opening a terminal")), strict=True))


class Reader:
    """Everything one user has done in one lesson."""

    def __init__(self, user: Any, lesson: Lesson):
        self.lesson, self.is_known = lesson, user.is_authenticated
        mine = {"user": user, "lesson": lesson}
        self.results = self._by(TaskResult, "task", mine)
        self.hints = self._by(HintTaken, "hint", mine)
        self.answers = self._by(Answer, "block", mine)
        self.measured = self._by(Measurement, "block", mine)
        self.read = self._by(ReadingMark, "step", mine)
        self.session = (LabSession.objects.filter(**mine).prefetch_related("terminals").first()
                        if self.is_known else None)

    def _by(self, model: Any, key: str, mine: dict[str, Any]) -> dict[str, Any]:
        return {getattr(row, key): row for row in model.objects.filter(**mine)} if self.is_known else {}

    @cached_property
    def _class(self) -> dict[str, list[float]]:
        """What everybody measured in this lesson, by block."""
        values: dict[str, list[float]] = {}
        for block, value in Measurement.objects.filter(lesson=self.lesson).values_list("block", "value"):
            values.setdefault(block, []).append(value)
        return values

    def class_values(self, block: str) -> list[float]:
        return self._class.get(block, [])

    def tasks(self) -> list[dict[str, Any]]:
        return [self._task(task) for task in (self.lesson.lab or {}).get("tasks", [])]

    def _task(self, task: dict[str, Any]) -> dict[str, Any]:
        found = self.results.get(task["id"])
        return {"id": task["id"], "title": task["title"], "step": task["step"], "points": task["points"],
                "state": found.state if found else "open", "why": found.why if found else "",
                "saw": found.saw if found else "", "passed": bool(found and found.passed_at)}


def context(user: Any, lesson: Lesson, errors: dict[str, str] | None = None) -> dict[str, Any]:
    """The whole context of labs/lesson.html. ``errors`` are sentences by block id, about what was just sent."""
    reader = Reader(user, lesson)
    tasks = reader.tasks()
    module = lesson.module
    hosts = agent_client.living_hosts() if lesson.lab else {}
    if hosts and may_start(reader):
        agent_client.note_opened(lesson.lab_digest)
    previous, following = neighbours(lesson)
    return {
        "course": module.course, "module": module, "lesson": lesson, "lab": lesson.lab, "tasks": tasks,
        "document": document(reader, tasks, hosts, errors or {}), "session": session_facts(reader.session),
        "machines": list((reader.session or lesson).lab["machines"]) if lesson.lab else [],
        "previews": (reader.session or lesson).lab.get("previews", []) if lesson.lab else [],
        "terminals": list(reader.session.terminals.all()) if reader.session else [],
        "next_task": next((task for task in tasks if task["state"] != "passed"), None),
        "progress": {"passed": sum(task["passed"] for task in tasks), "total": len(tasks)},
        "reading": {"read": len(reader.read), "total": len(reading.sections(lesson))},
        "previous_lesson": previous, "next_lesson": following, "worker_available": bool(hosts),
        "limit_sliders": limit_sliders(reader.session.lab if reader.session else lesson.lab), "stages": stages(reader.session), "reasons": {name: item.sentence for name, item in protocol.REASONS.items()},
        "session_create_url": reverse("session-create", args=address(lesson))}


def may_start(reader: Reader) -> bool:
    """Could this reader's next click start a new sandbox?"""
    return reader.is_known and not (reader.session and (reader.session.is_active or sessions.can_resume(reader.session)))


def address(lesson: Lesson) -> tuple[str, str, str]:
    return lesson.module.course.slug, lesson.module.slug, lesson.slug


def neighbours(lesson: Lesson) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after this one in its course."""
    every = list(Lesson.objects.filter(module__course=lesson.module.course).select_related("module__course")
                 .only("slug", "title", "module__slug", "module__title", "module__course__slug"))  # not every lesson's text
    at = every.index(lesson)
    return (every[at - 1] if at else None), (every[at + 1] if at + 1 < len(every) else None)


# --- the session ------------------------------------------------------------------------------------------


def session_facts(session: LabSession | None) -> LabSession | None:
    """The row with what only a page asks: the sentence of its reason, its place, what may be done with it."""
    if session is None:
        return None
    reason = protocol.REASONS.get(session.reason)
    session.sentence = reason.sentence if reason else ""
    session.is_unreachable = notices.is_unreachable(session)
    session.unreachable_sentence = protocol.REASONS["unreachable"].sentence
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


def document(reader: Reader, tasks: list[dict[str, Any]], hosts: dict[str, Any], errors: dict[str, str]) -> dict[str, Any]:
    """A copy of the lesson's document in which every block knows its state."""
    shown = copy.deepcopy(reader.lesson.document)
    by_id = {task["id"]: task for task in tasks}
    facts = reader_facts(reader.session, hosts)
    for step in shown.get("steps", []):
        own = [task for task in tasks if task["step"] == step["id"]]
        passed = sum(task["passed"] for task in own)
        step["can_start_over"] = rewinding.can_start_over(reader.session, step["id"])
        step["why_not"] = rewinding.why_not(reader.session, step["id"])
        step["is_read"] = step["id"] in reader.read
        step["done"] = "all" if own and passed == len(own) else "some" if passed else "none"
        for block in step["blocks"]:
            _merge(block, reader, by_id, facts, errors)
        _offer_hints([block for block in step["blocks"] if block["kind"] == "hint"])
    return shown


def _offer_hints(hints: list[Block]) -> None:
    """One after the other: a hint is offered once the one before it has been taken."""
    before = True
    for hint, following in zip(hints, [*hints[1:], None], strict=False):
        hint["state"] |= {"is_offered": before, "following": following["id"] if following else None}
        before = hint["state"]["taken"]


def reader_facts(session: LabSession | None, hosts: dict[str, Any]) -> dict[str, str]:
    """What :::when asks: of the running sandbox, else of the hosts it would run on."""
    known = (session.facts if session and session.is_active else None) or next(iter(hosts.values()), {})
    return {name: str(known[name]) for name in ("cgroup", "runtime") if name in known}


def _merge(block: Block, reader: Reader, tasks: dict[str, Any], facts: dict[str, str], errors: dict[str, str]) -> None:
    kind = block["kind"]
    if kind == "task":
        block["state"] = tasks.get(block["task"], {})
    elif kind == "hint":
        block["state"] = {"taken": block["id"] in reader.hints}
    elif kind == "predict":
        found = reader.answers.get(block["id"])
        block["state"] = {"given": found.given if found else None, "correct": bool(found and found.correct)}
        block["answer_text"] = block.get("answer") if block.get("kind_of") != "choice" else ""
    elif kind == "measure":
        found = reader.measured.get(block["id"])
        block["state"] = {"value": found.value if found else None, "error": errors.get(block["id"], ""),
                          "class": numbers.beside(found.value, reader.class_values(block["id"])) if found else None}
    elif kind == "widget":
        found = reader.measured.get(block["source"])
        block["state"] = widgets.shown(block["name"], found.value if found else None)
    elif kind == "quiz":
        _merge_quiz(block, reader.answers.get(block["id"]))
    elif kind == "when":
        wanted = block["condition"]
        block["state"] = {"holds": not facts or all(facts.get(name, value) == value for name, value in wanted.items())}
        for inner in block["blocks"]:
            _merge(inner, reader, tasks, facts, errors)


def _merge_quiz(block: Block, found: Answer | None) -> None:
    """Before an answer the page must not give the right ones away."""
    given = found.given if found else {}
    block["state"] = {"answered": bool(found)}
    for question in block["questions"]:
        answer = given.get(question["id"])
        question["given"] = answer if isinstance(answer, str) else None
        question["correct"] = marking.is_right(question, answer) if found else None
        if question["kind"] == "order":
            question["options"] = marking.shuffled(question)
        for option in question.get("options", []):
            chosen = option["id"] in answer if isinstance(answer, list) else option["id"] == answer
            option["chosen"] = bool(found) and chosen
            option["place"] = answer.get(option["id"]) if isinstance(answer, dict) else None
