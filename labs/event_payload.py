"""What an event of a worker must look like before anything is done with it: the shapes of protocol.EVENT_KINDS.

A worker is trusted to run sandboxes, not to write our rows: texts came out of a student's machine.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from runtime_agent import protocol
from runtime_agent.protocol.reasons import REASONS

ENVELOPE = {"event_id", "session_id", "seq", "host", "kind", "at", "payload"}
MAX_NAME_CHARS = 80
MAX_NUMBER = 2**31 - 1
MAX_STEPS, MAX_STEP_CHARS = 64, 200
Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -MAX_NUMBER <= value <= MAX_NUMBER


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _are_points(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_STEPS and all(
        isinstance(point, dict) and _is_step(point.get("step")) and _is_size(point.get("bytes")) for point in value)


def _are_terminals(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= protocol.MAX_TERMINALS and all(
        isinstance(terminal, dict) and _is_terminal_number(terminal.get("number")) and _is_name(terminal.get("machine"))
        for terminal in value)


def _is_terminal_number(value: Any) -> bool:
    return _is_count(value) and value < protocol.MAX_TERMINALS


def _is_skipped(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and _is_step(value.get("step"))
                             and value.get("reason") in protocol.POINT_SKIPPED)


def _is_step(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_STEP_CHARS


_TASK = {"task": _is_name}
_NEEDED: dict[str, dict[str, Check]] = {
    "stage": {"stage": _is_one_of(*protocol.STAGES)},
    "ready": {"facts": lambda value: isinstance(value, dict)},
    "failed": {"reason": _is_name},
    "terminal": {"number": _is_terminal_number, "machine": _is_name,
                 "state": _is_one_of("open", "closed")},
    "task_passed": _TASK, "task_pending": _TASK, "task_broken": _TASK,
    "oom": {"machine": _is_name, "kills": _is_count},
    "exited": {"machine": _is_name, "status": _is_number},
    "removed": {"kept": lambda value: isinstance(value, bool)},
    "points": {"points": _are_points, "skipped": _is_skipped},
}
_ALLOWED: dict[str, Check] = {"boot_ms": _is_number, "detail": _is_text, "why": _is_text, "saw": _is_text,
                              "generation": _is_count, "bytes": _is_size, "points": _are_points,
                              "terminals": _are_terminals, "reason": _is_one_of(*REASONS)}


def check_names(event: dict[str, Any]) -> dict[str, Any]:
    """The event, if it has exactly the fields of one. Raises ProtocolError "bad-event"."""
    if set(event) != ENVELOPE:
        raise protocol.ProtocolError("bad-event", "fields " + " ".join(sorted(map(str, event)))[:MAX_NAME_CHARS])
    return event


def check(kind: Any, payload: Any) -> dict[str, Any]:
    """The payload with its texts made storable. Raises ProtocolError "unknown-kind" or "bad-payload"."""
    if not isinstance(kind, str) or kind not in protocol.EVENT_KINDS:
        raise protocol.ProtocolError("unknown-kind", str(kind)[:MAX_NAME_CHARS])
    if not isinstance(payload, dict):
        raise protocol.ProtocolError("bad-payload", f"{kind}: not a mapping")
    for name, fits in _NEEDED[kind].items():
        if name not in payload or not fits(payload[name]):
            raise protocol.ProtocolError("bad-payload", f"{kind}: {name}")
    for name, fits in _ALLOWED.items():
        if name in payload and not fits(payload[name]):
            raise protocol.ProtocolError("bad-payload", f"{kind}: {name}")
    return storable(payload)


def check_envelope(event_id: Any, session_id: Any, seq: Any, host: Any, at: Any) -> datetime:
    """The moment of the event. Raises ProtocolError "bad-id" or "bad-event"."""
    protocol.check_session_id(session_id)
    try:
        UUID(event_id)
        moment = datetime.fromtimestamp(at, UTC)
    except (TypeError, ValueError, OverflowError, OSError, AttributeError):
        raise protocol.ProtocolError("bad-event", "event_id or at") from None
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**63:
        raise protocol.ProtocolError("bad-event", "seq")
    if not isinstance(host, str) or not 0 < len(host) <= 255:
        raise protocol.ProtocolError("bad-event", "host")
    return moment


def storable(value: Any) -> Any:
    """Texts cut to a length that a page can show and without NUL, which PostgreSQL refuses."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")[:protocol.MAX_TEXT_CHARS]
    if isinstance(value, dict):
        return {storable(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value
