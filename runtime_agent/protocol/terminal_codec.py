"""The frames that carry a terminal, and how much each may hold.

Two binary dialects:

* *browser frames* travel in WebSocket messages between the page and ``labs.consumers``;
* *bus frames* travel in Redis pub/sub between ``labs.consumers`` and ``runtime_agent.bridge``. A bus frame
  is a browser frame with the viewer's 8-byte id behind its type, except the broadcasts ``OUTPUT`` and
  ``EXIT``, which every viewer gets and which are the same bytes in both dialects.

Offsets count PTY bytes since the terminal was opened, so a cursor is meaningful to every viewer and after
every restart. Integers are big-endian. static/src/js/terminal/codec.js is the same for the page.
"""

from __future__ import annotations

import enum
import struct

from runtime_agent.protocol import ProtocolError

MAX_INPUT_BYTES = 16 * 1024
MAX_BROWSER_FRAME_BYTES = MAX_INPUT_BYTES + 64
MAX_OUTPUT_CHUNK_BYTES = 64 * 1024
RING_BYTES = 256 * 1024
WINDOW_BYTES = 128 * 1024
ACK_EVERY_BYTES = 32 * 1024
MIN_SIZE, MAX_SIZE = 1, 500
FROM_RING_START = (1 << 64) - 1
"""Resume offset of a viewer that has seen nothing yet."""


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


def clamp_size(rows: int, cols: int) -> tuple[int, int]:
    """Bound a window size to what conmon, the kernel and screen programs survive: 1..500 each way."""
    return max(MIN_SIZE, min(rows, MAX_SIZE)), max(MIN_SIZE, min(cols, MAX_SIZE))
