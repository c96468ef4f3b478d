"""The frames that carry web previews and recordings between the site and a worker host's tunnel. Integers are big-endian."""

from __future__ import annotations

import enum
import struct

from runtime_agent.protocol import ProtocolError

MAX_CHUNK_BYTES = 32 * 1024
WINDOW_BYTES = 128 * 1024
CREDIT_EVERY_BYTES = 32 * 1024


class Tunnel(enum.IntEnum):
    """The first byte of a tunnel frame; behind it the site process' number u64 and the stream's u64.

    A stream is one TCP connection into a machine. Each side may send WINDOW_BYTES beyond what the other has
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


_U64 = struct.Struct(">Q")
_HEAD = struct.Struct(">BQQ")
_FIXED = {Tunnel.OPEN: struct.Struct(">H"), Tunnel.OPENED: struct.Struct(""), Tunnel.DATA: _U64, Tunnel.CREDIT: _U64,
          Tunnel.END: _U64, Tunnel.RESET: struct.Struct("B"), Tunnel.ALIVE: struct.Struct(""), Tunnel.FETCH: struct.Struct("")}
_MOST = {Tunnel.OPEN: 100, Tunnel.FETCH: 100, Tunnel.DATA: MAX_CHUNK_BYTES}


def encode(kind: Tunnel, site: int, stream: int, *fields: int, data: bytes = b"") -> bytes:
    """Build a tunnel frame. ``fields`` are the integers of the table in Tunnel, ``data`` what is behind them."""
    return _HEAD.pack(kind, site, stream) + _FIXED[kind].pack(*fields) + data


def decode(frame: bytes) -> tuple[Tunnel, int, int, tuple[int, ...], bytes]:
    """Split a tunnel frame into (kind, site, stream, integer fields, bytes); ProtocolError as ``terminal_codec.decode``."""
    if len(frame) < _HEAD.size:
        raise ProtocolError("wrong-length", "a tunnel frame has 17 bytes at least")
    number, site, stream = _HEAD.unpack_from(frame)
    try:
        kind = Tunnel(number)
    except ValueError:
        raise ProtocolError("unknown-type", hex(number)) from None
    body, layout, most = frame[_HEAD.size:], _FIXED[kind], _MOST.get(kind, 0)
    if len(body) > layout.size + most and most:
        raise ProtocolError("too-large", f"{kind.name} carries at most {most} bytes")
    if len(body) <= layout.size if most else len(body) != layout.size:
        what = "is missing" if most else "behind it"
        raise ProtocolError("wrong-length", f"{kind.name} has {layout.size} bytes, and data {what}")
    return kind, site, stream, layout.unpack_from(body), body[layout.size:]
