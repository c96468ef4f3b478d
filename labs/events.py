"""What the agent reports, written down once each and in order.

Redis delivers at least once and a worker may be killed between work and acknowledgement, so the event id makes
a repeat harmless; an event of an older generation, or older than one already applied, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from labs import notices, sessions
from labs.models import Event, LabSession, TaskResult, Terminal
from runtime_agent import protocol

State = LabSession.State


def record(event_id: str, session_id: str, seq: int, host: str, kind: str, at: float,
           payload: dict[str, Any]) -> bool:
    """Apply one event. False if it was a repeat, out of date, or of no session of ours.

    Raises ProtocolError("unknown-kind") for what this version does not know.
    """
    if kind not in protocol.EVENT_KINDS:
        raise protocol.ProtocolError("unknown-kind", str(kind)[:80])
    protocol.check_session_id(session_id)
    with transaction.atomic():
        session = LabSession.objects.select_for_update().filter(pk=session_id).first()
        if not session:
            return False
        generation = payload.get("generation", 0)
        moment = datetime.fromtimestamp(at, UTC)
        _, is_new = Event.objects.get_or_create(event_id=event_id, defaults={
            "session": session, "generation": generation, "seq": seq, "kind": kind, "at": moment,
            "payload": payload})
        if not is_new or generation < session.generation or seq <= session.last_seq:
            return False
        session.last_seq = seq
        notice = _APPLY[kind](session, payload, host, moment)
        session.save()
        if notice:
            transaction.on_commit(lambda: notices.send(session, notice))
    return True


def _stage(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> dict[str, Any] | None:
    if session.state not in (State.QUEUED, State.STARTING) or payload["stage"] not in protocol.STAGES:
        return None
    session.started_at = session.started_at or at
    session.state, session.stage, session.host = State.STARTING, payload["stage"], host
    return {"type": "stage", "stage": session.stage}


def _ready(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> dict[str, Any] | None:
    if session.state not in (State.QUEUED, State.STARTING):
        return None
    session.host, session.facts = host, payload.get("facts", {})
    sessions.become_ready(session, at)
    return notices.state_of(session)


def _failed(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> dict[str, Any] | None:
    if not session.is_active:
        return None
    reason = payload["reason"] if payload["reason"] in protocol.REASONS else "start-failed"
    sessions.fail(session, reason, str(payload.get("detail", ""))[:protocol.MAX_TEXT_CHARS])
    return notices.state_of(session)


def _terminal(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> dict[str, Any]:
    terminal, _ = Terminal.objects.update_or_create(session=session, number=payload["number"], defaults={
        "machine": payload["machine"], "state": payload["state"]})
    return {"type": "terminal", "number": terminal.number, "state": terminal.state, "title": terminal.title}


def _task(state: str) -> Callable[..., dict[str, Any] | None]:
    def apply(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> dict[str, Any] | None:
        task = next((task for task in session.lab["tasks"] if task["id"] == payload["task"]), None)
        if not task:
            return None
        result, _ = TaskResult.objects.get_or_create(user=session.user, lesson=session.lesson, task=task["id"])
        result.session, result.state = session, state
        result.why, result.saw = (str(payload.get(key, ""))[:protocol.MAX_TEXT_CHARS] for key in ("why", "saw"))
        if state == "passed" and not result.passed_at:
            result.points, result.passed_at = task["points"], at
        result.save()
        return {"type": "task", "task": task["id"], "state": state, "why": result.why, "saw": result.saw}
    return apply


def _removed(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> dict[str, Any] | None:
    if session.state != State.ENDING:
        return None
    session.state = State.ENDED
    if not payload["kept"]:
        session.kept_until = None
    return notices.state_of(session)


def _note(session: LabSession, payload: dict[str, Any], host: str, at: datetime) -> None:
    """Kept as an Event for the operator; the agent follows it with ``failed`` where it ends the session."""


_APPLY = {"stage": _stage, "ready": _ready, "failed": _failed, "terminal": _terminal, "removed": _removed,
          "task_passed": _task("passed"), "task_pending": _task("pending"), "task_broken": _task("broken"),
          "oom": _note, "exited": _note}
