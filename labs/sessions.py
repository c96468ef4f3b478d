"""The life of a session as the site decides it: start, extend, end, restart, resume. The timers are in ``timers``.

Every change of state happens in a transaction on a locked row; the worker is asked after the commit, so that
a rolled-back change asks for nothing. The words are those of design.md, "Sessions".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from labs import agent_client, notices
from labs.models import LabSession, Lesson, TaskResult
from labs.sight import counters
from runtime_agent import fleet

State = LabSession.State
THROWN_AWAY = "thrown-away"
UNDO_MINUTES = 10


class Refused(Exception):
    """A request that the rules forbid; ``reason`` is "no-lab", "maximum", "wrong-state", "no-point" or
    "no-worker"."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def start(user: Any, lesson: Lesson) -> LabSession:
    """Return the user's active session of this lesson, or begin one. Two clicks get the same one."""
    if not lesson.lab:
        raise Refused("no-lab")
    hosts = agent_client.expected_hosts()
    try:
        with transaction.atomic():
            lock_user(user)
            active = list(LabSession.objects.filter(user=user, state__in=LabSession.ACTIVE))
            if session := next((one for one in active if one.lesson_id == lesson.pk), None):
                return session
            if len(active) >= settings.SESSIONS_MAXIMUM:
                raise Refused("maximum")
            now = timezone.now()
            session = LabSession.objects.create(user=user, lesson=lesson, lab=lesson.lab,
                                                lab_digest=lesson.lab_digest, queued_at=now, asked_at=now)
            if reason := why_not(hosts, lesson.lab):
                fail(session, reason)
                session.save()
            else:
                _new_run(session)
    except IntegrityError:  # the other click was faster
        return LabSession.objects.get(user=user, lesson=lesson, state__in=LabSession.ACTIVE)
    return session


def lock_user(user: Any) -> None:
    """One at a time: a count of the user's sessions holds until the commit, those that are only being made included."""
    if connection.features.has_select_for_update:  # SQLite has one writer at a time, from the transaction's beginning
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)


def why_not(hosts: dict[str, dict[str, Any]], lab: dict[str, Any]) -> str:
    """The reason why none of these hosts will ever take the lab as they are; empty if one will."""
    if not hosts:
        return "no-worker"
    if any(agent_client.takes(host, lab) for host in hosts.values()):
        return ""
    missing = [fleet.needs_of(lab) - fleet.labels_of(host) for host in hosts.values() if host.get("is_open", True)]
    only_images = any(needs and all(name.startswith("image-") for name in needs) for needs in missing)
    return "unknown-image" if only_images else "no-fitting-worker"


def extend(session_id: Any) -> LabSession:
    """Move the planned end by the lab's ``extend`` minutes, never past the deadline."""
    return change_locked(session_id, (State.READY,), _extend)


def end(session_id: Any, keep: bool = True) -> LabSession:
    """Put the sandbox away; what was never started has nothing to put away. Ending twice is ending once."""
    return change_locked(session_id, LabSession.ACTIVE, lambda session: put_to_end(session, keep), strict=False)


def throw_away(session_id: Any) -> LabSession:
    """End it for good: the files are kept only as long as that can be undone, which is to resume them."""
    def change(session: LabSession) -> None:
        put_to_end(session, keep=True)
        if session.kept_until:
            session.kept_until = min(session.kept_until, timezone.now() + timedelta(minutes=UNDO_MINUTES))
            session.reason = THROWN_AWAY
    return change_locked(session_id, LabSession.ACTIVE, change, strict=False)


def restart(session_id: Any) -> LabSession:
    """Throw the disk away and begin anew, under the same id and a higher generation."""
    hosts = agent_client.expected_hosts()

    def change(session: LabSession) -> None:
        if why_not(hosts, session.lab):
            raise Refused("no-worker")
        _check_maximum(session)
        put_away(session, keep=False)
        queue_again(session, is_resume=False)
    return change_locked(session_id, (State.READY, State.FAILED), change)


def resume(session_id: Any) -> LabSession:
    """Go on with the kept disk, on the host that has it."""
    hosts = agent_client.expected_hosts()

    def change(session: LabSession) -> None:
        if not can_resume(session):
            raise Refused("wrong-state")
        if session.host not in hosts:
            raise Refused("no-worker")
        _check_maximum(session)
        queue_again(session, is_resume=True)
    return change_locked(session_id, (State.ENDED,), change)


def _check_maximum(session: LabSession) -> None:
    """May this one become active? Called on a locked row. Raises Refused("maximum")."""
    if session.is_active:
        return
    lock_user(session.user)
    if LabSession.objects.filter(user=session.user, state__in=LabSession.ACTIVE).count() >= settings.SESSIONS_MAXIMUM:
        raise Refused("maximum")


def can_resume(session: LabSession) -> bool:
    return bool(session.state == State.ENDED and session.host and session.kept_until
                and session.kept_until > timezone.now())


def fail(session: LabSession, reason: str, detail: str = "") -> None:
    """Called on a locked row. A resume that did not start has lost nothing: its disk can be resumed again, unless it
    is just what was not there any more."""
    now = timezone.now()
    is_disk_kept = session.is_resume and session.state in (State.QUEUED, State.STARTING) and reason != "expired"
    session.state = State.ENDED if is_disk_kept else State.FAILED
    session.kept_until = now + timedelta(days=settings.SESSION_KEPT_DAYS) if is_disk_kept else None
    session.reason, session.detail, session.ended_at = reason, detail, now
    transaction.on_commit(lambda: counters.add(counters.FAILURES, reason))


def become_ready(session: LabSession) -> None:
    """Called on a locked row; the clock starts when the student can work, not when they clicked. It is the site's: its timers ask
    no other, and a host's may be hours away from it."""
    now = timezone.now()
    session.state, session.started_at, session.ready_at, session.seen_at = State.READY, session.started_at or now, now, now
    session.expires_at, session.deadline_at = planned_end(session.lab["limits"], now)
    session.warned_minutes = None
    waited = (now - session.queued_at).total_seconds()
    transaction.on_commit(lambda: counters.add_start(waited))


def planned_end(limits: dict[str, Any], ready_at: datetime) -> tuple[datetime, datetime]:
    """(when a session ends, how far that may be moved)"""
    expires_at = ready_at + timedelta(minutes=limits["minutes"])
    return expires_at, expires_at + timedelta(minutes=limits["extend"] * 4)


def _extend(session: LabSession) -> None:
    planned = session.expires_at + timedelta(minutes=session.lab["limits"]["extend"])
    session.expires_at = min(planned, session.deadline_at)
    session.warned_minutes = None


def put_to_end(session: LabSession, keep: bool) -> None:
    """Called on a locked row."""
    now = timezone.now()
    if session.host:
        session.state, session.asked_at = State.ENDING, now
        put_away(session, keep)
    else:
        session.state = State.ENDED
    session.ended_at = now
    session.kept_until = now + timedelta(days=settings.SESSION_KEPT_DAYS) if keep and session.host else None


def put_away(session: LabSession, keep: bool) -> None:
    """Ask the host to remove the sandbox, and its disk unless ``keep``; called on a locked row. A restart gives the row to
    another host and a next run before this is sent."""
    host, generation = session.host, session.generation
    if host:
        transaction.on_commit(lambda: agent_client.remove_later(str(session.pk), host, keep, newest=generation))


def queue_again(session: LabSession, is_resume: bool, rewind_to: str = "") -> None:
    """Begin another run of the session, on the disk of the last one if ``is_resume``. Called on a locked row."""
    session.generation += 1
    session.state, session.stage, session.reason, session.detail = State.QUEUED, "", "", ""
    session.is_resume, session.rewind_to, session.last_seq = is_resume, rewind_to, -1
    session.queued_at = session.asked_at = timezone.now()
    session.started_at = session.ready_at = session.ended_at = session.kept_until = None
    session.kept_bytes = None
    if not is_resume:
        session.host, session.points = "", {}
    session.terminals.all().delete()
    _new_run(session)


def _new_run(session: LabSession) -> None:
    """Task states are of a run; a resumed run keeps them, and points stay for good."""
    if not session.is_resume:
        TaskResult.objects.filter(user=session.user, lesson=session.lesson).update(
            state="open", why="", saw="", session=session)
    transaction.on_commit(lambda: agent_client.create_later(session))


def change_locked(session_id: Any, states: tuple[str, ...], change: Callable[[LabSession], None],
                  strict: bool = True) -> LabSession:
    """Lock the row, apply ``change`` if the state is one of ``states``, and tell the pages what came of it.

    In another state it raises Refused("wrong-state"), or returns the row untouched unless ``strict``.
    """
    with transaction.atomic():
        session = LabSession.objects.select_for_update().get(pk=session_id)
        if session.state not in states:
            if strict:
                raise Refused("wrong-state")
            return session
        before = (session.state, session.expires_at)
        try:
            with transaction.atomic():
                change(session)
                session.save()
        except IntegrityError:  # another session of this lesson is active
            raise Refused("wrong-state") from None
        if (session.state, session.expires_at) != before:
            tell_later(session, notices.state_of(session))
    return session


def tell_later(session: LabSession, notice: dict[str, Any] | None) -> None:
    """After the commit: tell this session's pages. Those behind it in the queue are told by labs.timers."""
    if notice:
        transaction.on_commit(lambda: notices.send(session, notice))
