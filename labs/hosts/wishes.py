"""What the operator wants of a host: open, cordoned (takes nothing new), draining (and its sessions are put away).

The wish is a row with a generation; the bus carries it to the host, again whenever the two differ, and the host keeps
the newest it has heard of. So a click that is lost with Redis is made up by the next look, and an old one never wins.
"""

from __future__ import annotations

import json
from datetime import timedelta

import redis
from django.db import transaction
from django.utils import timezone

from labs import sessions
from labs.hosts import bus
from labs.models import LabSession, WorkerHost
from runtime_agent import fleet, protocol

DRAIN_MINUTES = 15
Wish = WorkerHost.Wish
State = LabSession.State


def set_wish(name: str, wish: str) -> WorkerHost:
    """Change what is wanted of a host; the same wish again changes nothing. Raises WorkerHost.DoesNotExist."""
    with transaction.atomic():
        host = WorkerHost.objects.select_for_update().get(name=name)
        if host.wish != wish:
            was_draining, host.wish, host.generation = host.wish == Wish.DRAINING, wish, host.generation + 1
            host.drain_at = timezone.now() + timedelta(minutes=DRAIN_MINUTES) if wish == Wish.DRAINING else None
            host.save()
            if was_draining:
                _give_time_back(host)
    return host


def remove(name: str) -> None:
    """Shut a host out for good and end what was on it. Raises WorkerHost.DoesNotExist, or redis.RedisError: nothing
    has changed then."""
    with transaction.atomic():
        host = WorkerHost.objects.select_for_update().get(name=name)
        if host.joined_at:
            bus.shut_out(name)
        with bus.connect() as connection:
            connection.hdel(fleet.INVENTORY_KEY, name)
            connection.hdel(protocol.HOSTS_KEY, name)  # else its last heartbeat takes the name for half a minute
            connection.delete(fleet.wish_key(name))
        host.delete()
    for session_id in LabSession.objects.filter(host=name).values_list("pk", flat=True):
        sessions.change_locked(session_id, (*LabSession.ACTIVE, State.ENDING, State.ENDED), _lose, strict=False)


def tell(connection: redis.Redis) -> None:
    """Let the bus carry each host's wish."""
    for host in WorkerHost.objects.all():
        wish = json.dumps({"generation": host.generation, "is_open": host.wish == Wish.OPEN}).encode()
        if connection.get(fleet.wish_key(host.name)) != wish:
            connection.set(fleet.wish_key(host.name), wish)


def shorten(session: LabSession, host: WorkerHost) -> None:
    """A session on a draining host ends with it, with the warnings of every end. Called on a locked row."""
    if host.drain_at and session.expires_at and session.expires_at > host.drain_at:
        session.expires_at = session.deadline_at = host.drain_at
        session.warned_minutes = None


def _give_time_back(host: WorkerHost) -> None:
    """The drain was undone: the sessions have the time again that their labs give."""
    for session_id in LabSession.objects.filter(host=host.name, state=State.READY).values_list("pk", flat=True):
        sessions.change_locked(session_id, (State.READY,), _lengthen, strict=False)


def _lengthen(session: LabSession) -> None:
    expires_at, session.deadline_at = sessions.planned_end(session.lab["limits"], session.ready_at)
    session.expires_at, session.warned_minutes = max(session.expires_at, expires_at), None


def _lose(session: LabSession) -> None:
    """Its host is gone for good, and the files with it."""
    if session.state in LabSession.ACTIVE:
        sessions.fail(session, "host-removed")
    session.state = State.FAILED if session.state == State.FAILED else State.ENDED
    if session.kept_until:
        session.reason = "host-removed"
    session.kept_until, session.host, session.kept_bytes = None, "", None
