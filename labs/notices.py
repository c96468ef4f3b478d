"""What pages are told while they are open: small JSON notices through the channel layer, never PTY bytes.

A notice may be lost; the page asks for the state when it connects, so a loss costs freshness and nothing else. That is
also why a channel layer that is away is logged and not raised: the change that was to be told has been made.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from labs.models import LabSession, WorkerHost
from runtime_agent.protocol.reasons import REASONS

MAX_TOLD_POSITIONS = 200
SEND_SECONDS = 10.0
log = logging.getLogger(__name__)
_loop: asyncio.AbstractEventLoop | None = None


def group(session_id: object) -> str:
    return f"session.{session_id}"


def state_of(session: LabSession) -> dict[str, Any]:
    """The session as a page may know it; ``detail`` is for the operator and stays here."""
    unreachable = is_unreachable(session)
    reason = REASONS.get("unreachable" if unreachable else session.reason)
    notice = {"type": "state", "stand": stand_of(session, unreachable), "unreachable": unreachable,
              "state": session.state, "reason": session.reason, "sentence": reason.sentence if reason else "",
              "expires_at": session.expires_at.isoformat() if session.expires_at else None,
              "deadline_at": session.deadline_at.isoformat() if session.deadline_at else None}
    if session.state == LabSession.State.QUEUED:
        notice["position"] = position(session)
    return notice


def stand_of(session: LabSession, unreachable: bool) -> str:
    """Differs whenever a page of the session may have to show something else: what the page was rendered with beside what
    its socket says tells whether anything was missed."""
    return f"{session.generation}.{session.state}.{session.last_seq}.{session.expires_at and session.expires_at.timestamp()}" \
           f".{int(unreachable)}"


def is_unreachable(session: LabSession) -> bool:
    """Is there a sandbox, on a host that has fallen silent?"""
    return (bool(session.host) and session.state in (LabSession.State.STARTING, LabSession.State.READY, LabSession.State.ENDING)
            and WorkerHost.objects.filter(name=session.host, is_silent=True).exists())


def position(session: LabSession) -> int:
    """Place in the queue, 1 is next."""
    return 1 + LabSession.objects.filter(state=LabSession.State.QUEUED, queued_at__lt=session.queued_at).count()


def send_state(session: LabSession) -> None:
    send(session, state_of(session))


def send_warning(session: LabSession, minutes: int) -> None:
    send(session, {"type": "warning", "minutes": minutes})


def send_positions() -> None:
    """Somebody left the queue: the others moved up."""
    waiting = LabSession.objects.filter(state=LabSession.State.QUEUED).order_by("queued_at")
    for place, session in enumerate(waiting[:MAX_TOLD_POSITIONS], start=1):
        send(session, {"type": "stage", "stage": "", "position": place})


def keep_a_loop() -> None:
    """For a process whose threads have no event loop behind them: without one, each notice would begin and end a loop and a
    connection to Redis of its own, which costs seven times the notice."""
    global _loop
    _loop = asyncio.new_event_loop()
    threading.Thread(target=_loop.run_forever, name="notices", daemon=True).start()


def send(session: LabSession, notice: dict[str, Any]) -> None:
    try:
        _wait_for(group(session.id), {"type": "notice", "notice": notice})
    except (redis.RedisError, OSError) as error:
        log.warning("notice lost session_id=%s: %s", session.id, error)


def _wait_for(name: str, message: dict[str, Any]) -> None:
    """TimeoutError, which is an OSError, if the layer takes longer than anybody should wait."""
    send_to = get_channel_layer().group_send
    if _loop is None:
        async_to_sync(send_to)(name, message)
    else:
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(send_to(name, message), SEND_SECONDS), _loop).result()
