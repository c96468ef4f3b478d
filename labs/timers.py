"""What happens to sessions by the clock alone; a Celery beat calls ``watch`` every few seconds.

Requests to workers may be lost with a broker, so what should have happened by now is asked for again; workers treat a
repeat as the first. A row with something due is locked and judged anew, so a missed or doubled round does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labs import agent_client, kept, notices, sessions
from labs.models import LabSession

State = LabSession.State
WARN_MINUTES = (1, 5, 10)
WATCHED = (*LabSession.ACTIVE, State.ENDING, State.ENDED)
MOVED_SECONDS = 5
Hosts = dict[str, dict[str, Any]]
Action = Callable[[LabSession], None]


def watch(now: datetime | None = None) -> None:
    """Overdue starts, lost requests, warnings, planned and orphaned ends, ends that stick, disks kept long enough."""
    now = now or timezone.now()
    watched = LabSession.objects.filter(Q(state__in=(*LabSession.ACTIVE, State.ENDING)) |
                                        Q(state=State.ENDED, kept_until__lte=now))
    hosts = agent_client.living_hosts() if watched.exists() else {}
    for session in watched:
        if _find_due(session, now, hosts):  # a class at work has nothing due: two seconds of nothing cost no write
            sessions.change_locked(session.id, WATCHED, lambda locked: _do_due(locked, now, hosts), strict=False)
    if _has_queue_moved(now):
        notices.send_positions()


def _do_due(session: LabSession, now: datetime, hosts: Hosts) -> None:
    if action := _find_due(session, now, hosts):
        action(session)


def _find_due(session: LabSession, now: datetime, hosts: Hosts) -> Action | None:
    """What is to be done with this session now."""
    if session.state == State.READY:
        if now >= session.expires_at or _is_orphaned(session, now):
            return partial(sessions.put_to_end, keep=True)
        minutes = _unsaid_warning(session, now)
        return partial(_warn, minutes=minutes) if minutes else None
    if session.state == State.ENDED:
        return _drop_disk if session.kept_until and session.kept_until <= now else None
    if _is_overdue(session, now, hosts):
        return _give_up
    is_late = now - session.asked_at > _seconds(settings.SESSION_NUDGE_SECONDS)
    return partial(_ask_again, now=now) if is_late and _may_be_lost(session, hosts) else None


def _has_queue_moved(now: datetime) -> bool:
    """Did somebody leave the queue lately? Told here, once for all: told at each start, a class would pay its square."""
    since = now - _seconds(MOVED_SECONDS)
    return LabSession.objects.filter(Q(started_at__gte=since) | Q(ended_at__gte=since)).exists()


def _unsaid_warning(session: LabSession, now: datetime) -> int | None:
    """The minutes that are left, if the student has not been told."""
    left = (session.expires_at - now).total_seconds() / 60
    due = next((minutes for minutes in WARN_MINUTES if left <= minutes), None)
    return due if due and (session.warned_minutes is None or due < session.warned_minutes) else None


def _warn(session: LabSession, minutes: int) -> None:
    session.warned_minutes = minutes
    transaction.on_commit(lambda: notices.send_warning(session, minutes))


def _give_up(session: LabSession) -> None:
    sessions.fail(session, "no-worker" if session.state == State.QUEUED else "overdue")
    sessions.put_away(session, keep=session.kept_until is not None)


def _drop_disk(session: LabSession) -> None:
    kept.drop(session, "expired")


def _is_orphaned(session: LabSession, now: datetime) -> bool:
    """No page has been open for the lab's ``idle`` minutes, or for as long as the site allows at most."""
    allowed = min(timedelta(minutes=session.lab["limits"]["idle"]), _seconds(settings.SESSION_ORPHANED_SECONDS))
    return bool(session.seen_at and now - session.seen_at > allowed)


def _is_overdue(session: LabSession, now: datetime, hosts: Hosts) -> bool:
    """Started and never usable, or queued while for as long there has been nobody to take it."""
    limit = _seconds(settings.SESSION_OVERDUE_SECONDS)
    if session.state == State.STARTING:
        return now - (session.started_at or now) > limit
    return session.state == State.QUEUED and not hosts and now - session.queued_at > limit


def _may_be_lost(session: LabSession, hosts: Hosts) -> bool:
    """A full house is reason enough to wait, a queue that is not empty may hold the request, a host that is away answers
    nothing, and of a start that a host has claimed labs.hosts.reconciling takes care, once nobody has asked for a while."""
    if session.state == State.QUEUED and not session.is_resume:
        has_room = any(host.get("used", 0) < host.get("capacity", 0) and agent_client.takes(host, session.lab)
                       for host in hosts.values())
        return has_room and not _is_under_way(session)
    return session.host in hosts and session.state != State.STARTING  # of which labs.hosts.reconciling takes care


def _is_under_way(session: LabSession) -> bool:
    try:
        return agent_client.is_under_way(session)
    except redis.RedisError:
        return True


def _ask_again(session: LabSession, now: datetime) -> None:
    session.asked_at = now
    if session.state == State.ENDING:
        sessions.put_away(session, keep=session.kept_until is not None)
    else:
        transaction.on_commit(lambda: agent_client.create_later(session))


def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)
