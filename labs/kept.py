"""The files of ended sessions: which are kept, how much they take up, and which go when it is too much.

Every student may keep SESSION_KEPT_MIB; what ended first goes first, and its page says so. The worker host has a cap of
its own and tells the same way (event ``removed`` with the reason "made-room").
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from labs import sessions
from labs.models import LabSession

State = LabSession.State


def of(user: Any) -> QuerySet[LabSession]:
    """The user's sessions whose files are kept, the latest first."""
    return LabSession.objects.filter(user=user, state=State.ENDED, kept_until__gt=timezone.now()
                                     ).select_related("lesson__module__course").order_by("-ended_at")


def limit_bytes() -> int:
    return settings.SESSION_KEPT_MIB << 20


def dispose(session_id: Any) -> LabSession:
    """Delete the kept files now. Raises Refused("wrong-state") if the sandbox is not put away."""
    return sessions.change_locked(session_id, (State.ENDED,), lambda session: drop(session, ""))


def drop(session: LabSession, reason: str) -> None:
    """Called on a locked row. Dropping what is not kept asks the worker for nothing."""
    if session.kept_until:
        session.kept_until, session.reason = None, reason
        sessions.put_away(session, keep=False)


def make_room(user: Any) -> None:
    """Drop what ended first until the rest fits; what ended last always stays."""
    used = 0
    for place, session in enumerate(of(user)):
        used += session.kept_bytes or 0
        if place and used > limit_bytes():
            sessions.change_locked(session.id, (State.ENDED,), lambda locked: drop(locked, "made-room"), strict=False)
