"""What pages are told while they are open: small JSON notices through the channel layer, never PTY bytes.

A notice may be lost; the page asks for the state when it connects, so a loss costs freshness and nothing else.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from labs.models import LabSession
from runtime_agent import protocol


def group(session_id: object) -> str:
    return f"session.{session_id}"


def state_of(session: LabSession) -> dict[str, Any]:
    """The session as a page may know it; ``detail`` is for the operator and stays here."""
    reason = protocol.REASONS.get(session.reason)
    return {"type": "state", "state": session.state, "reason": session.reason,
            "sentence": reason.sentence if reason else "",
            "expires_at": session.expires_at.isoformat() if session.expires_at else None,
            "deadline_at": session.deadline_at.isoformat() if session.deadline_at else None}


def send_state(session: LabSession) -> None:
    send(session, state_of(session))


def send(session: LabSession, notice: dict[str, Any]) -> None:
    async_to_sync(get_channel_layer().group_send)(group(session.id), {"type": "notice", "notice": notice})
