"""What the site and the agent say to each other, and nothing else.

Beside ``facts`` this is the one module both sides import. It owns the names of queues, tasks, channels and events, the
limits of a message, and the binary codec of the terminal path. It must never import Django, Celery or
Redis, and never do input or output: everything here is a constant or a pure function of its arguments.

Two binary dialects carry a terminal:

* *browser frames* travel in WebSocket messages between the page and ``labs.consumers``;
* *bus frames* travel in Redis pub/sub between ``labs.consumers`` and ``runtime_agent.bridge``. A bus frame
  is a browser frame with the viewer's 8-byte id behind its type, except the broadcasts ``OUTPUT`` and
  ``EXIT``, which every viewer gets and which are the same bytes in both dialects.

Offsets count PTY bytes since the terminal was opened, so a cursor is meaningful to every viewer and after
every restart. Integers are big-endian.
"""

from __future__ import annotations

import enum
import re
import struct
from dataclasses import dataclass

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
    """Redis channel on which the site says that somebody looks at the facts of a session: one of FACTS_WISHES."""
    return f"facts:{session_id}:in"


def facts_channel(session_id: str) -> str:
    """Redis channel of the facts themselves, in facts frames."""
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
"""The bridge publishes its host name here when it starts, so that viewers greet it again at once."""
TUNNEL_HELLO_CHANNEL = "tunnel:hello"
"""A tunnel publishes its host name here when it starts or has lost Redis: every stream to that host has ended."""


def tunnel_channel(host: str) -> str:
    """Redis channel that the tunnel of a worker host reads."""
    return f"tunnel:host:{host}"


def tunnel_site_channel(site: int) -> str:
    """Redis channel that one process of the site reads; ``site`` is its random number."""
    return f"tunnel:site:{site:016x}"


# --- Limits -----------------------------------------------------------------------------------------------

MAX_INPUT_BYTES = 16 * 1024
MAX_BROWSER_FRAME_BYTES = MAX_INPUT_BYTES + 64
MAX_OUTPUT_CHUNK_BYTES = 64 * 1024
RING_BYTES = 256 * 1024
WINDOW_BYTES = 128 * 1024
ACK_EVERY_BYTES = 32 * 1024
MIN_SIZE, MAX_SIZE = 1, 500
MAX_TERMINALS = 8
MAX_TUNNEL_CHUNK_BYTES = 32 * 1024
TUNNEL_WINDOW_BYTES = 128 * 1024
TUNNEL_CREDIT_EVERY_BYTES = 32 * 1024
FROM_RING_START = (1 << 64) - 1
"""Resume offset of a viewer that has seen nothing yet."""

_SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TERMINAL_ID = re.compile(_SESSION_ID.pattern + r"\.[0-7]")


class ProtocolError(ValueError):
    """A message that breaks this module's rules; ``reason`` is one of a closed set of words."""

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


# --- What can go wrong, in words both sides know ----------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """One way a session can fail: HTTP status, WebSocket close code, and the student's sentence."""

    status: int
    close_code: int
    sentence: str


REASONS: dict[str, Reason] = {
    "no-worker": Reason(503, 4503, "No worker host is running, so no sandbox can start. "
                                   "Tell whoever runs this site; the lesson stays readable."),
    "no-fitting-worker": Reason(503, 4503, "No worker host takes this kind of lab at the moment. "
                                           "Tell whoever runs this site; the lesson stays readable."),
    "unreachable": Reason(503, 4503, "The machine your sandbox runs on does not answer. Most likely only the line to it is "
                                     "cut: your sandbox goes on and comes back here by itself. Starting over gives you a "
                                     "fresh one on another machine; passed tasks stay passed."),
    "host-removed": Reason(410, 4410, "The machine that had the files of this sandbox was taken out of service. Start again; "
                                      "your passed tasks are kept."),
    "host-full": Reason(503, 4503, "Every worker host is full. You are in the queue; "
                                   "your sandbox starts by itself when a place is free."),
    "unknown-image": Reason(422, 4422, "This lab asks for an image that the worker does not have. "
                                       "Tell your instructor; trying again will not help."),
    "unknown-profile": Reason(422, 4422, "This lab asks for a profile that does not exist. Tell your instructor."),
    "unknown-lab": Reason(422, 4422, "The worker does not have this version of the lab. Try again in a minute."),
    "bad-limit": Reason(422, 4422, "This lab asks for more than the worker may give. Tell your instructor."),
    "bad-message": Reason(400, 4400, "The worker did not understand the request. Reload the page and try again."),
    "setup-failed": Reason(500, 4500, "The lab's set-up script failed. Try again; if it fails again, "
                                      "tell your instructor."),
    "start-failed": Reason(500, 4500, "The sandbox did not start. Try again."),
    "disk-full": Reason(507, 4507, "The worker has no disk space left for new sandboxes. "
                                   "Tell whoever runs this site."),
    "overdue": Reason(504, 4504, "The sandbox took too long to start. Try again."),
    "expired": Reason(410, 4410, "The files of this sandbox are not kept any more. Start again; "
                                 "your passed tasks are kept."),
    "made-room": Reason(410, 4410, "The files of this sandbox were deleted to make room for newer ones. Start again; "
                                   "your passed tasks are kept."),
    "no-point": Reason(410, 4410, "The worker has no copy of your files from the beginning of that step. "
                                  "Resume to go on with them as they are."),
    "lost": Reason(410, 4410, "The sandbox is gone: its worker lost it. Start again; your passed tasks are kept."),
    "stopped": Reason(410, 4410, "The sandbox's first process ended, or its machine lost power. Resume if its files "
                                "are kept, else start again; your passed tasks are kept."),
}

CLOSE_BAD_FRAME = 4400
CLOSE_SIGNED_OUT = 4401
CLOSE_NOT_FOUND = 4404
CLOSE_ENDED = 4410
CLOSE_FRAME_TOO_LARGE = 4413
CLOSE_BUSY = 4503

# --- Events, agent -> web ---------------------------------------------------------------------------------

EVENT_KINDS = frozenset({
    "stage",         # {"stage": one of STAGES}
    "ready",         # {"boot_ms": int, "facts": {"cgroup": 1|2, "kernel": str, "runtime": str}, "points": as below}
    "failed",        # {"reason": key of REASONS, "detail": str for the operator}
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

# --- The terminal codec -----------------------------------------------------------------------------------


class Frame(enum.IntEnum):
    """The first byte of every frame."""

    HELLO = 0x01     # page ->: version u8, flags u8 (1 = read-only), client u64, resume offset u64, rows u16, cols u16
    INPUT = 0x02     # page ->: offset of the first byte in this client's input u64, bytes
    ACK = 0x03       # page ->: PTY offset up to which xterm.js has parsed u64
    RESIZE = 0x04    # page ->: rows u16, cols u16
    BYE = 0x05       # consumer -> bridge only: the viewer is gone
    PING = 0x06      # page -> consumer only: any number u64; tells a dead line from a quiet shell
    OUTPUT = 0x81    # -> page: PTY offset of the first byte u64, bytes           (broadcast on the bus)
    EXIT = 0x82      # -> page: final PTY offset u64, exit status i32             (broadcast on the bus)
    WELCOME = 0x83   # -> page: head offset u64, first offset that can be sent u64, input received u64, bridge epoch u64
    INPUT_ACK = 0x84  # -> page: input received up to u64
    REPLAY = 0x85    # -> page: as OUTPUT, for one viewer
    SKIPPED = 0x86   # -> page: from u64, to u64: bytes this viewer will never get
    NOTICE = 0x87    # consumer -> page only: UTF-8 JSON object
    PONG = 0x88      # consumer -> page only: the number of the PING


READ_ONLY = 1
_U64 = struct.Struct(">Q")
_HELLO = struct.Struct(">BBQQHH")
_SIZE = struct.Struct(">HH")
_WELCOME = struct.Struct(">QQQQ")
_EXIT = struct.Struct(">Qi")
_RANGE = struct.Struct(">QQ")

_FIXED = {Frame.HELLO: _HELLO, Frame.ACK: _U64, Frame.RESIZE: _SIZE, Frame.EXIT: _EXIT, Frame.WELCOME: _WELCOME,
          Frame.INPUT_ACK: _U64, Frame.SKIPPED: _RANGE, Frame.BYE: struct.Struct(""),
          Frame.PING: _U64, Frame.PONG: _U64}
_WITH_BYTES = {Frame.INPUT: MAX_INPUT_BYTES, Frame.OUTPUT: MAX_OUTPUT_CHUNK_BYTES, Frame.REPLAY: MAX_OUTPUT_CHUNK_BYTES}
BROADCASTS = frozenset({Frame.OUTPUT, Frame.EXIT})
FROM_PAGE = frozenset({Frame.HELLO, Frame.INPUT, Frame.ACK, Frame.RESIZE, Frame.PING})


def encode(kind: Frame, *fields: int, data: bytes = b"") -> bytes:
    """Build a browser frame. ``fields`` are the integers of the table in Frame, ``data`` the bytes behind them."""
    if kind in _WITH_BYTES:
        return bytes((kind,)) + _U64.pack(*fields) + data
    if kind is Frame.NOTICE:
        return bytes((kind,)) + data
    return bytes((kind,)) + _FIXED[kind].pack(*fields)


def decode(frame: bytes) -> tuple[Frame, tuple[int, ...], bytes]:
    """Split a browser frame into (kind, integer fields, bytes).

    Raises ProtocolError with reason "empty", "unknown-type", "wrong-length" or "too-large".
    """
    if not frame:
        raise ProtocolError("empty")
    try:
        kind = Frame(frame[0])
    except ValueError:
        raise ProtocolError("unknown-type", hex(frame[0])) from None
    body = frame[1:]
    if kind is Frame.NOTICE:
        return kind, (), body
    if kind in _WITH_BYTES:
        if len(body) <= _U64.size:
            raise ProtocolError("wrong-length", f"{kind.name} needs an offset and at least one byte")
        if len(body) - _U64.size > _WITH_BYTES[kind]:
            raise ProtocolError("too-large", f"{kind.name} carries at most {_WITH_BYTES[kind]} bytes")
        return kind, _U64.unpack_from(body), body[_U64.size:]
    layout = _FIXED[kind]
    if len(body) != layout.size:
        raise ProtocolError("wrong-length", f"{kind.name} has {layout.size} bytes behind its type")
    return kind, layout.unpack(body), b""


def address(viewer: int, frame: bytes) -> bytes:
    """Turn a browser frame into the bus frame of one viewer."""
    return frame[:1] + _U64.pack(viewer) + frame[1:]


def unaddress(bus_frame: bytes) -> tuple[int | None, bytes]:
    """Turn a bus frame into (viewer, browser frame); viewer is None for a broadcast."""
    if bus_frame and bus_frame[0] in BROADCASTS:
        return None, bus_frame
    if len(bus_frame) < 1 + _U64.size:
        raise ProtocolError("wrong-length", "a bus frame has a viewer's id behind its type")
    return _U64.unpack_from(bus_frame, 1)[0], bus_frame[:1] + bus_frame[1 + _U64.size:]


class FactsFrame(enum.IntEnum):
    """The ninth byte of a facts frame; before it stands the number of the document's version, behind it JSON."""

    WHOLE = 1    # the document: {"machines": {name: facts}, "events": {number: event}, "looked_at": ms}, lists as objects by key,
                 # null left out
    PATCH = 2    # an RFC 7396 merge patch that makes this version of the one before
    REMARK = 3   # {"refused": sentence}: a wish was not granted; the version stays
    HISTORY = 4  # {"now": ms, "frames": [[ms, patch]]}: the machines before a panel was opened; the version stays


_FACTS = struct.Struct(">QB")


def encode_facts(version: int, kind: FactsFrame, body: bytes) -> bytes:
    return _FACTS.pack(version, kind) + body


def decode_facts(frame: bytes) -> tuple[int, FactsFrame]:
    """(version, kind). Raises ProtocolError("wrong-length" or "unknown-type")."""
    if len(frame) <= _FACTS.size:
        raise ProtocolError("wrong-length", "a facts frame has a version, a kind and a body")
    version, kind = _FACTS.unpack_from(frame)
    if kind not in list(FactsFrame):
        raise ProtocolError("unknown-type", str(kind))
    return version, FactsFrame(kind)


def clamp_size(rows: int, cols: int) -> tuple[int, int]:
    """Bound a window size to what conmon, the kernel and screen programs survive: 1..500 each way."""
    return max(MIN_SIZE, min(rows, MAX_SIZE)), max(MIN_SIZE, min(cols, MAX_SIZE))


# --- The tunnel codec -------------------------------------------------------------------------------------


class Tunnel(enum.IntEnum):
    """The first byte of a tunnel frame; behind it the site process' number u64 and the stream's u64.

    A stream is one TCP connection into a machine. Each side may send TUNNEL_WINDOW_BYTES beyond what the other has
    taken. Pub/sub can lose: offsets show it, and then the stream ends; nothing is sent again.
    """

    OPEN = 0x41      # site ->: port u16, "<session id>/<machine>"
    OPENED = 0x42    # -> site: something listens and has accepted
    DATA = 0x43      # both: offset of the first byte u64, bytes
    CREDIT = 0x44    # both: bytes taken so far u64
    END = 0x45       # both: final offset u64; this side sends no more
    RESET = 0x46     # both: reason u8, a TunnelEnd; the stream is over in both directions
    ALIVE = 0x47     # both, stream 0: asks nothing; that nobody receives it is what it is for
    FETCH = 0x48     # site ->: "<session id>/": the list of its recordings as JSON, or with a name behind it that file


class TunnelEnd(enum.IntEnum):
    """Why a stream was reset."""

    NOTHING_LISTENS = 1
    NO_SANDBOX = 2
    NOT_A_PREVIEW = 3
    TOO_MANY = 4
    TOO_SLOW = 5
    LOST = 6
    BROKEN = 7
    LEFT = 8
    NO_WORKER = 9    # never on the bus: what the site says when nobody receives its frames


_TUNNEL_HEAD = struct.Struct(">BQQ")
_TUNNEL_FIXED = {Tunnel.OPEN: struct.Struct(">H"), Tunnel.OPENED: struct.Struct(""), Tunnel.DATA: _U64,
                 Tunnel.CREDIT: _U64, Tunnel.END: _U64, Tunnel.RESET: struct.Struct("B"), Tunnel.ALIVE: struct.Struct(""),
                 Tunnel.FETCH: struct.Struct("")}
_TUNNEL_MOST = {Tunnel.OPEN: 100, Tunnel.FETCH: 100, Tunnel.DATA: MAX_TUNNEL_CHUNK_BYTES}


def encode_tunnel(kind: Tunnel, site: int, stream: int, *fields: int, data: bytes = b"") -> bytes:
    """Build a tunnel frame. ``fields`` are the integers of the table in Tunnel, ``data`` what is behind them."""
    return _TUNNEL_HEAD.pack(kind, site, stream) + _TUNNEL_FIXED[kind].pack(*fields) + data


def decode_tunnel(frame: bytes) -> tuple[Tunnel, int, int, tuple[int, ...], bytes]:
    """Split a tunnel frame into (kind, site, stream, integer fields, bytes); ProtocolError as ``decode``."""
    if len(frame) < _TUNNEL_HEAD.size:
        raise ProtocolError("wrong-length", "a tunnel frame has 17 bytes at least")
    number, site, stream = _TUNNEL_HEAD.unpack_from(frame)
    try:
        kind = Tunnel(number)
    except ValueError:
        raise ProtocolError("unknown-type", hex(number)) from None
    body, layout, most = frame[_TUNNEL_HEAD.size:], _TUNNEL_FIXED[kind], _TUNNEL_MOST.get(kind, 0)
    if len(body) > layout.size + most and most:
        raise ProtocolError("too-large", f"{kind.name} carries at most {most} bytes")
    if len(body) <= layout.size if most else len(body) != layout.size:
        what = "is missing" if most else "behind it"
        raise ProtocolError("wrong-length", f"{kind.name} has {layout.size} bytes, and data {what}")
    return kind, site, stream, layout.unpack_from(body), body[layout.size:]
