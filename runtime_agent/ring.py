"""The last 256 KiB of a terminal's output and what its viewers have typed, in a file that survives its writer.

The file is mapped, so what was put into it is there after a kill -9 of the bridge. Output goes from the PTY straight
into the map: the number of bytes about to be read is written down first (the intent), then they are read in place,
then the head moves. A reader that finds an intent without its commit can't know how much of it was read, so it takes
none: the window is the few instructions between read(2) and the store of the head.

Layout, little-endian: magic 8s, epoch u64, head u64, then CLIENTS entries of (client u64, received u64), then the bytes.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
from pathlib import Path

from runtime_agent.protocol import RING_BYTES

MAGIC = b"bhring01"
HEADER = struct.Struct("<8sQQ")
ENTRY = struct.Struct("<QQ")
CLIENTS = 16
DATA_AT = 4096


class Ring:
    """One terminal's ring. Offsets count PTY bytes since the terminal was opened."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, DATA_AT + RING_BYTES)
            self._map = mmap.mmap(descriptor, DATA_AT + RING_BYTES)
        finally:
            os.close(descriptor)
        magic, self.epoch, self.head = HEADER.unpack_from(self._map)
        if magic != MAGIC:
            self.epoch, self.head = secrets.randbits(63), 0
            self._save()

    @property
    def start(self) -> int:
        """The oldest offset that is still held."""
        return max(0, self.head - RING_BYTES)

    def read_from(self, descriptor: int) -> int:
        """Read once from a PTY master into the ring; how many bytes. BlockingIOError or OSError as read(2)."""
        at = DATA_AT + self.head % RING_BYTES
        with memoryview(self._map) as view, view[at:] as room:
            count = os.readv(descriptor, [room])
        self.head += count
        self._save()
        return count

    def since(self, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes from ``offset``, which must be between start and head."""
        end = min(self.head, offset + limit)
        first, last = offset % RING_BYTES, (end - 1) % RING_BYTES + 1
        if end <= offset:
            return b""
        if first < last:
            return self._map[DATA_AT + first:DATA_AT + last]
        return self._map[DATA_AT + first:DATA_AT + RING_BYTES] + self._map[DATA_AT:DATA_AT + last]

    def received(self, client: int) -> int:
        """How many bytes of this client's input have been taken."""
        return dict(self._clients()).get(client, 0)

    def note_received(self, client: int, offset: int) -> None:
        """Remember it; the client that typed longest ago makes room for a seventeenth."""
        entries = [entry for entry in self._clients() if entry[0] != client]
        for index, entry in enumerate([(client, offset), *entries][:CLIENTS]):
            ENTRY.pack_into(self._map, HEADER.size + index * ENTRY.size, *entry)

    def close(self) -> None:
        self._map.close()

    def _clients(self) -> list[tuple[int, int]]:
        found = [ENTRY.unpack_from(self._map, HEADER.size + index * ENTRY.size) for index in range(CLIENTS)]
        return [entry for entry in found if entry != (0, 0)]

    def _save(self) -> None:
        HEADER.pack_into(self._map, 0, MAGIC, self.epoch, self.head)
