"""What the site and the agent say to each other, and nothing else.

Here are the names of queues, tasks, keys, channels, ids and events. Beside them: why a session can fail (``reasons``), and
the bytes of a terminal (``terminal_codec``), of the facts (``facts_codec``), of previews and recordings (``tunnel_codec``).

Beside ``facts`` and ``fleet`` this package is what both sides import. It must never import Django, Celery or Redis, and
never do input or output: everything in it is a constant or a pure function of its arguments.
"""

from __future__ import annotations

import re

VERSION = 1

# --- Names on the bus -------------------------------------------------------------------------------------

QUEUE_SANDBOXES = "sandboxes"
QUEUE_WEB = "web"

TASK_CREATE = "agent.create"
"""session_id, generation, lab, resume; with ``point`` (a step's id) the kept files go back to the beginning of that step.
A higher generation replaces the sandbox, the same one changes nothing."""
TASK_OPEN_TERMINAL = "agent.open_terminal"
TASK_CLOSE_TERMINAL = "agent.close_terminal"
TASK_CHECK = "agent.check"
TASK_LIMITS = "agent.limits"
TASK_DELETE = "agent.delete"
TASK_REPORT = "agent.report"
TASK_RECORD_EVENT = "web.record_event"

HOSTS_KEY = "bulkhead:hosts"
OPENED_KEY, MAX_OPENED = "bulkhead:opened", 32
"""A sorted set: digests of labs, by the time at which a reader last opened their lesson."""


def agent_queue(host: str) -> str:
    """The queue of everything that concerns sandboxes already placed on ``host``."""
    return f"agent.{host}"


def input_channel(terminal_id: str) -> str:
    """Redis channel that the bridge reads: keystrokes, acknowledgements, sizes."""
    return f"term:{terminal_id}:in"


def output_channel(terminal_id: str) -> str:
    """Redis channel that consumers read: PTY output and answers."""
    return f"term:{terminal_id}:out"


def facts_wish_channel(session_id: str) -> str:
    """Redis channel on which the site says that somebody looks at the facts of a session: FACTS_OPEN, FACTS_KEEP or FACTS_ASK."""
    return f"facts:{session_id}:in"


def facts_channel(session_id: str) -> str:
    """Redis channel of the facts themselves, in frames of ``facts_codec``."""
    return f"facts:{session_id}:out"


def facts_answer_channel(session_id: str, question: str) -> str:
    """Redis channel of the answer to one FACTS_ASK; ``question`` is its random name."""
    return f"facts:{session_id}:answer:{question}"


FACTS_WISH_PATTERN = "facts:*:in"
FACTS_HELLO_CHANNEL = "facts:agents"
"""An agent publishes its host name here when it begins to hear wishes, so that open panels ask again at once."""
FACTS_OPEN, FACTS_KEEP = b"open", b"keep"
"""Somebody needs the whole document; somebody still looks. Without a word for FACTS_WATCH_SECONDS nobody does."""
FACTS_WATCH_SECONDS = 12.0
FACTS_ASK = b"ask "
"""Behind it a question's name, a space and an expression over the facts of the session's first machine. The answer is JSON:
{"value": what was found, or null}."""

INPUT_PATTERN = "term:*:in"
BRIDGE_HELLO_CHANNEL = "term:bridge"
"""The bridge publishes its host name here when it starts, so that viewers greet it again at once, and a terminal's id when it
has opened that, so that pages which wait for it need no other word."""
TUNNEL_HELLO_CHANNEL = "tunnel:hello"
"""A tunnel publishes its host name here when it starts or has lost Redis: every stream to that host has ended."""


def tunnel_channel(host: str) -> str:
    """Redis channel that the tunnel of a worker host reads."""
    return f"tunnel:host:{host}"


def tunnel_site_channel(site: int) -> str:
    """Redis channel that one process of the site reads; ``site`` is its random number."""
    return f"tunnel:site:{site:016x}"


# --- Ids --------------------------------------------------------------------------------------------------

MAX_TERMINALS = 8
_SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TERMINAL_ID = re.compile(_SESSION_ID.pattern + r"\.[0-7]")


class ProtocolError(ValueError):
    """A message that breaks the rules of this package; ``reason`` is one of a closed set of words."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def check_session_id(value: object) -> str:
    """Return ``value`` if it is a canonical lower-case UUID, else raise ProtocolError("bad-id")."""
    if isinstance(value, str) and _SESSION_ID.fullmatch(value):
        return value
    raise ProtocolError("bad-id", "a session id is a lower-case UUID")


def terminal_id(session_id: str, number: int) -> str:
    """Name terminal ``number`` (0..7) of a session: ``<session_id>.<number>``."""
    if not 0 <= number < MAX_TERMINALS:
        raise ProtocolError("bad-terminal", f"terminals are numbered 0..{MAX_TERMINALS - 1}")
    return f"{check_session_id(session_id)}.{number}"


def split_terminal_id(value: object) -> tuple[str, int]:
    """Return (session_id, number), or raise ProtocolError("bad-terminal")."""
    if isinstance(value, str) and _TERMINAL_ID.fullmatch(value):
        return value[:-2], int(value[-1])
    raise ProtocolError("bad-terminal", "a terminal id is <session_id>.<0..7>")


# --- Events, agent -> web ---------------------------------------------------------------------------------

EVENT_KINDS = frozenset({
    "stage",         # {"stage": one of STAGES}
    "ready",         # {"boot_ms": int, "facts": {"cgroup": 1|2, "kernel": str, "runtime": str}, "points": as below}
    "failed",        # {"reason": key of reasons.REASONS, "detail": str for the operator}
    "terminal",      # {"number": int, "machine": str, "state": "open"|"closed", "status": int|None}
    "task_passed",   # {"task": str, "saw": str}
    "task_pending",  # {"task": str, "why": str}
    "task_broken",   # {"task": str, "why": str}
    "oom",           # {"machine": str, "kills": int}
    "exited",        # {"machine": str, "status": int}
    "removed",       # {"kept": bool, "bytes": int on the worker's disk, "reason": "made-room" if nobody asked for it}
    "points",        # {"points": [{"step": str, "bytes": int}], "skipped": None | {"step": str, "reason": str}}
})
POINT_SKIPPED = {
    "disk-full": "the worker's disk is nearly full",
    "too-large": "your sandbox holds too many files for a quick copy",
    "failed": "the worker could not copy your files",
    "made-room": "the worker needed the space of your earliest copies for newer ones",
}
"""Why a step has no point to go back to, as the end of a sentence."""
STAGES = ("placed", "disk", "root", "runtime", "setup", "shell")
MAX_TEXT_CHARS = 2000
