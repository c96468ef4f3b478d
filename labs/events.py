"""What the agent reports, written down once each and in order.

Redis delivers at least once and a worker may be killed between work and acknowledgement, so the event id makes
a repeat harmless; an event of an older generation, or older than one already applied, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labs import agent_client, event_payload, kept, notices, rewinding, sessions
from labs.models import Event, LabSession, TaskResult, Terminal
from runtime_agent import protocol
from runtime_agent.protocol.reasons import REASONS

State = LabSession.State
NOT_YET = "not yet because "
"""How checks may begin their answer; the page has words of its own for it."""
Notice = dict[str, Any] | None
Payload = dict[str, Any]


def record(event_id: str, session_id: str, seq: int, host: str, kind: str, at: float, payload: Payload) -> bool:
    """Apply one event. False if it was a repeat, out of date, or of no session of ours.

    Raises ProtocolError for what this version does not understand; an event of a known session is then kept as
    refused, for the operator, and has no effect.
    """
    moment = event_payload.check_envelope(event_id, session_id, seq, host, at)
    try:
        payload = event_payload.check(kind, payload)
    except protocol.ProtocolError as error:
        _keep_refused(event_id, session_id, seq, moment, error)
        raise
    with transaction.atomic():
        session = LabSession.objects.select_for_update().filter(pk=session_id).first()
        if not session:
            return False
        generation = payload.get("generation", 0)
        _row, is_new = Event.objects.get_or_create(event_id=event_id, defaults={
            "session": session, "generation": generation, "seq": seq, "kind": kind, "at": moment,
            "payload": payload})
        if not is_new or _is_of_older_run(session, generation, host, payload) or _is_overtaken(session, seq, kind, payload):
            return False
        if _is_of_another_host(session, host, kind):
            return False
        session.last_seq = max(seq, session.last_seq)
        notice = _APPLY[kind](session, payload, host, moment)
        session.save()
        sessions.tell_later(session, notice)
    return True


def _is_of_older_run(session: LabSession, generation: int, host: str, payload: Payload) -> bool:
    """A host that has lost a session does not know how often it was begun: what it says is of the run that we know it has had,
    unless something came later from there (_is_overtaken)."""
    is_of_this = payload.get("reason") == "lost" and session.host == host and session.state in (State.STARTING, State.READY)
    return generation < session.generation and not is_of_this


def _is_overtaken(session: LabSession, seq: int, kind: str, payload: Payload) -> bool:
    """Has a later word about the same been heard already? Several threads take events, and any two of a moment may overtake
    one another: two tasks that pass at once must both count, in whatever order they come."""
    if seq > session.last_seq:
        return False
    subject = _SUBJECTS.get(kind)
    if subject is None:
        return True
    later = Event.objects.filter(session=session, generation=session.generation, seq__gt=seq,
                                 kind__in=[other for other, field in _SUBJECTS.items() if field == subject])
    return any(other[subject] == payload[subject] for other in later.values_list("payload", flat=True))


def _is_of_another_host(session: LabSession, host: str, kind: str) -> bool:
    """One run, two hosts: the claims on the bus were lost. The first that was heard of keeps it, the other must delete."""
    if not session.is_active or not session.host or session.host == host:
        return False
    if kind in ("stage", "ready"):
        session_id, generation = str(session.pk), session.generation
        transaction.on_commit(lambda: agent_client.remove_later(session_id, host, keep=False, newest=generation))
    return True


def _keep_refused(event_id: str, session_id: str, seq: int, moment: datetime, error: protocol.ProtocolError) -> None:
    session = LabSession.objects.filter(pk=session_id).first()
    if session:
        Event.objects.get_or_create(event_id=event_id, defaults={
            "session": session, "generation": session.generation, "seq": seq, "kind": "refused", "at": moment,
            "payload": {"refused": event_payload.storable(str(error))}})


def _stage(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
    if session.state not in (State.QUEUED, State.STARTING):
        if payload["stage"] == protocol.STAGES[0]:
            _refuse_sandbox(session, host)
        return None
    session.started_at = session.started_at or timezone.now()
    session.state, session.stage, session.host = State.STARTING, payload["stage"], host
    return {"type": "stage", "stage": session.stage}


def _ready(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
    if session.state not in (State.QUEUED, State.STARTING):
        _refuse_sandbox(session, host)
        return None
    session.host, session.facts = host, payload["facts"]
    rewinding.note_points(session, payload.get("points", []), None)
    _note_open(session, payload.get("terminals", []))
    sessions.become_ready(session)
    return notices.state_of(session)


def _note_open(session: LabSession, terminals: list[dict[str, Any]]) -> None:
    Terminal.objects.bulk_create(
        [Terminal(session=session, number=one["number"], machine=one["machine"], state="open",
                  title=title_of(session, one["number"])) for one in terminals],
        update_conflicts=True, unique_fields=["session", "number"], update_fields=["machine", "state"])


def _refuse_sandbox(session: LabSession, host: str) -> None:
    """The request outlived the session (cancelled in the queue, given up as overdue): nobody would ever end this one."""
    if session.state in (State.ENDED, State.FAILED):
        transaction.on_commit(lambda: agent_client.remove_later(
            str(session.pk), host, keep=session.kept_until is not None, newest=session.generation))


def _failed(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
    if not session.is_active:
        return None
    reason = payload["reason"] if payload["reason"] in REASONS else "start-failed"
    sessions.fail(session, reason, payload.get("detail", ""))
    return notices.state_of(session)


def _terminal(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
    number = payload["number"]
    terminal, is_new = Terminal.objects.get_or_create(session=session, number=number, defaults={
        "title": title_of(session, number)})
    terminal.machine, terminal.state = payload["machine"], payload["state"]
    terminal.save()
    return {"type": "terminal", "number": number, "state": terminal.state, "title": terminal.title,
            "machine": terminal.machine}


def title_of(session: LabSession, number: int) -> str:
    """What the lab calls this terminal, else its number as people count."""
    named = session.lab.get("terminals", [])
    title = named[number].get("title") if number < len(named) else ""
    return title or _("Terminal %d") % (number + 1)


def _task(state: str) -> Callable[[LabSession, Payload, str, datetime], Notice]:
    def apply(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
        task = next((task for task in session.lab["tasks"] if task["id"] == payload["task"]), None)
        if not task:
            return None
        result, _made = TaskResult.objects.get_or_create(user_id=session.user_id, lesson_id=session.lesson_id, task=task["id"])
        result.session, result.state = session, state
        result.why, result.saw = payload.get("why", "").removeprefix(NOT_YET), payload.get("saw", "")
        if state == "passed" and not result.passed_at:
            result.points, result.passed_at = task["points"], at
        result.save()
        return {"type": "task", "task": task["id"], "state": state, "why": result.why, "saw": result.saw,
                "needs_met": _are_needs_met(session, task)}
    return apply


def _are_needs_met(session: LabSession, task: dict[str, Any]) -> bool:
    needs = set(task.get("needs", []))
    if not needs:
        return True
    passed = TaskResult.objects.filter(user_id=session.user_id, lesson_id=session.lesson_id, task__in=needs,
                                       state="passed")
    return passed.count() == len(needs)


def _removed(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
    if session.state not in (State.ENDING, State.ENDED):
        return None
    if session.state == State.ENDED and payload["kept"]:
        return None
    if session.kept_until and not payload["kept"]:
        session.kept_until, session.reason = None, payload.get("reason", session.reason)
    session.state, session.kept_bytes = State.ENDED, payload.get("bytes")
    transaction.on_commit(lambda: kept.make_room(session.user))
    return notices.state_of(session)


def _points(session: LabSession, payload: Payload, host: str, at: datetime) -> Notice:
    rewinding.note_points(session, payload["points"], payload["skipped"])
    return {"type": "points"}


def _note(session: LabSession, payload: Payload, host: str, at: datetime) -> None:
    """Kept as an Event for the operator; the agent follows it with ``failed`` where it ends the session."""


_SUBJECTS = {"terminal": "number", "task_passed": "task", "task_pending": "task", "task_broken": "task"}
"""What an event of this kind is about, by its field. All others are about the session as a whole."""
_APPLY = {"stage": _stage, "ready": _ready, "failed": _failed, "terminal": _terminal, "removed": _removed,
          "task_passed": _task("passed"), "task_pending": _task("pending"), "task_broken": _task("broken"),
          "points": _points, "oom": _note, "exited": _note}
