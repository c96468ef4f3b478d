"""Holding what the hosts have against what they should have, and closing the gap with one more message.

Messages are nudges and may be lost; the rows say what is wanted, the inventories say what is. Every difference older
than a few seconds is answered: a sandbox that should not be is deleted, one that the site has lost sight of is asked
for a report, a start that nobody began is asked for again, and one that its host took into silence is begun anew under a
higher generation, which that host will find when it is back. Each answer may be given twice.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from labs import agent_client, sessions
from labs.models import LabSession
from runtime_agent import fleet

Inventory = dict[str, tuple[int, str]]
State = LabSession.State
log = logging.getLogger(__name__)


def reconcile(inventories: dict[str, Inventory], silent: set[str], now: datetime) -> None:
    """One round over all living hosts and all active sessions. Raises nothing while Redis is away: it tries again."""
    try:
        for host, inventory in inventories.items():
            _judge_host(host, inventory, now)
        _judge_sessions(inventories, silent, now)
    except agent_client.AWAY as error:
        log.warning("not reconciled: %s", error)


def _judge_host(host: str, inventory: Inventory, now: datetime) -> None:
    """Everything that this host has."""
    rows = {str(session.pk): session for session in LabSession.objects.filter(pk__in=[*filter(_is_uuid, inventory)])}
    for session_id, (generation, state) in inventory.items():
        session = rows.get(session_id)
        if session is None:
            log.warning("leftover of no row session_id=%s host=%s", session_id, host)
            agent_client.remove_later(session_id, host, keep=True, newest=generation)
        elif _is_leftover(session, host, generation):
            log.warning("leftover session_id=%s host=%s generation=%d", session_id, host, generation)
            keep = session.kept_until is not None and session.host == host
            agent_client.remove_later(session_id, host, keep=keep, newest=generation)
        elif state == "exited" and session.state == State.READY and generation == session.generation:
            sessions.change_locked(session.pk, (State.READY,), _stop, strict=False)
        elif _is_unheard(session, generation, state) and _is_due(session, now):
            _ask(session, host, now)


def _stop(session: LabSession) -> None:
    """Its machine lost power, or its first process was killed: the files are there, and can be resumed."""
    sessions.put_to_end(session, keep=True)
    session.reason = "stopped"


def _is_leftover(session: LabSession, host: str, generation: int) -> bool:
    if generation < session.generation:
        return not (session.is_resume and session.host == host)  # else the new run takes the old one's files over
    return session.state in (State.ENDED, State.FAILED) or bool(session.host and session.host != host)


def _is_unheard(session: LabSession, generation: int, state: str) -> bool:
    """The host is further than we know: its events are lost."""
    if generation != session.generation:
        return False
    return session.state == State.QUEUED or (session.state == State.STARTING and state != "starting")


def _judge_sessions(inventories: dict[str, Inventory], silent: set[str], now: datetime) -> None:
    """Everything that some host should have."""
    for session in LabSession.objects.filter(state__in=(State.QUEUED, State.STARTING, State.READY)):
        if not _is_due(session, now):
            continue
        if session.state == State.QUEUED and not session.is_resume:
            _judge_queued(session, inventories, silent, now)
        elif session.host in inventories:
            if str(session.pk) not in inventories[session.host] and session.state != State.QUEUED:
                _ask(session, session.host, now)
        elif session.host in silent and session.state == State.STARTING and not session.is_resume:
            _begin_anew(session)


def _judge_queued(session: LabSession, inventories: dict[str, Inventory], silent: set[str],
                  now: datetime) -> None:
    """Has a host taken it, and which? Only if none has, the timers may put it into the queue once more."""
    with agent_client.connect() as bus:
        holder = (bus.get(fleet.claim_key(str(session.pk), session.generation)) or b"").decode(errors="replace")
    if holder in inventories and str(session.pk) not in inventories[holder]:
        LabSession.objects.filter(pk=session.pk).update(asked_at=now)
        agent_client.create_on_later(session, holder)
    elif holder in silent:
        _begin_anew(session)


def _begin_anew(session: LabSession) -> None:
    """The host that took the start does not answer, and nobody has worked there yet: the next host may have it."""
    def change(locked: LabSession) -> None:
        if locked.generation != session.generation:
            return
        queued_at = locked.queued_at
        sessions.queue_again(locked, is_resume=False)
        locked.queued_at = queued_at  # its place in the queue stays
    log.warning("begun anew session_id=%s generation=%d host=%s", session.pk, session.generation, session.host)
    sessions.change_locked(session.pk, (State.QUEUED, State.STARTING), change, strict=False)


def _ask(session: LabSession, host: str, now: datetime) -> None:
    LabSession.objects.filter(pk=session.pk).update(asked_at=now)
    agent_client.report_later(session, host)


def _is_due(session: LabSession, now: datetime) -> bool:
    """Long enough for a message and a heartbeat to have come through."""
    last = max(filter(None, (session.asked_at, session.started_at, session.ready_at)))
    return now - last > timedelta(seconds=settings.SESSION_NUDGE_SECONDS)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
