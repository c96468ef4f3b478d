"""The frames that carry the facts of a session to a panel that is open. Integers are big-endian."""

from __future__ import annotations

import enum
import struct

from runtime_agent.protocol import ProtocolError


class FactsFrame(enum.IntEnum):
    """The ninth byte of a facts frame; before it stands the number of the document's version, behind it JSON."""

    WHOLE = 1    # the document: {"machines": {name: facts}, "events": {number: event}, "looked_at": ms}, lists as objects by key,
                 # null left out
    PATCH = 2    # an RFC 7396 merge patch that makes this version of the one before
    REMARK = 3   # {"refused": sentence}: a wish was not granted; the version stays
    HISTORY = 4  # {"now": ms, "frames": [[ms, patch]]}: the machines before a panel was opened; the version stays


_FACTS = struct.Struct(">QB")


def encode(version: int, kind: FactsFrame, body: bytes) -> bytes:
    return _FACTS.pack(version, kind) + body


def decode(frame: bytes) -> tuple[int, FactsFrame]:
    """(version, kind). Raises ProtocolError("wrong-length" or "unknown-type")."""
    if len(frame) <= _FACTS.size:
        raise ProtocolError("wrong-length", "a facts frame has a version, a kind and a body")
    version, kind = _FACTS.unpack_from(frame)
    if kind not in list(FactsFrame):
        raise ProtocolError("unknown-type", str(kind))
    return version, FactsFrame(kind)
