"""What the bridge tells the control process about a terminal, over a datagram socket: a command began or ended.

A datagram is the session's id, and behind a space JSON for a command: {"terminal", "is_done", "text", "status"}. Nobody
waits for an answer, and a lost one costs a look that the slow timer makes up for.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime_agent import protocol

MAX_BYTES = 8192


@dataclass(frozen=True)
class TerminalMark:
    """A terminal's own mark. ``terminal`` is -1 for "something in this session has ended" without a command."""

    session_id: str
    terminal: int = -1
    is_done: bool = True
    text: str = ""
    status: int | None = None


def encode(mark: TerminalMark) -> bytes:
    fields = asdict(mark)
    session_id = fields.pop("session_id")
    return f"{session_id} {json.dumps(fields)}".encode() if mark.terminal >= 0 else session_id.encode()


def decode(datagram: bytes) -> TerminalMark:
    """Raises ProtocolError("bad-id" or "bad-mark")."""
    session_id, _, fields = datagram.decode("utf-8", "replace").partition(" ")
    protocol.check_session_id(session_id)
    try:
        return TerminalMark(session_id, **json.loads(fields or "{}"))
    except (ValueError, TypeError):
        raise protocol.ProtocolError("bad-mark") from None


def receiver(path: Path) -> socket.socket:
    """The socket that the bridge sends to; a stale file of a former life is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    found.bind(os.fspath(path))
    os.chmod(path, 0o600)
    found.settimeout(1.0)
    return found
