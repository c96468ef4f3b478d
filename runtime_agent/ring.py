"""The last 256 KiB of a terminal's output and what its viewers have typed, in a file that survives its writer.

The file is mapped, so what was put into it is there after a kill -9 of the bridge. A read goes in three steps: the
place of the new bytes is filled with a random pattern and the intent (head, count) is written down; readv(2)
takes exactly that many bytes from the PTY into the place; the head moves. Whoever opens a ring whose intent was
not followed by its head looks at the place: the pattern is untouched (nothing was read) or gone (all of it was,
because FIONREAD had promised as much and the kernel finishes a read that has begun). One uncertainty is left: for
a read of n < 16 bytes the output equals the pattern once in 256**n times, and then those bytes are lost.

Layout: 64-bit words in the machine's order (the file never leaves it; one word is one store, so a kill can't tear
it): magic, epoch, head, intent (head + 1, or 0), count, pattern (2 words), recorded (recording.py's), then CLIENTS
pairs (client, received); at DATA_AT the bytes. READ_BYTES more than a ring are kept, so that a read begun
and lost spoils nothing that can still be asked for.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import struct
import termios
from pathlib import Path

from runtime_agent.protocol.terminal_codec import RING_BYTES

MAGIC = int.from_bytes(b"bhring02", "little")
EPOCH, HEAD, INTENT, COUNT, PATTERN, RECORDED, TABLE = 1, 2, 3, 4, 5, 7, 8
CLIENTS = 16
DATA_AT = 4096
READ_BYTES = 64 * 1024
PATTERN_BYTES = 16
_ROOM = RING_BYTES + READ_BYTES


class Ring:
    """One terminal's ring. Offsets count PTY bytes since the terminal was opened.

    Its file has all its blocks from the beginning (OSError if there is no room): in a mapping, a block that can't be had
    later is a SIGBUS, and would end the bridge with everybody's terminals.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, DATA_AT + _ROOM)
            self._map = mmap.mmap(descriptor, DATA_AT + _ROOM)
        finally:
            os.close(descriptor)
        self._view = memoryview(self._map)
        self._words = self._view[:DATA_AT].cast("Q")
        if self._words[0] != MAGIC:
            self._view[:DATA_AT] = bytes(DATA_AT)
            self._words[EPOCH] = secrets.randbits(63)
            self._words[0] = MAGIC
        self._recover()
        self.epoch, self._pattern = self._words[EPOCH], secrets.token_bytes(PATTERN_BYTES)
        self._view[PATTERN * 8:PATTERN * 8 + PATTERN_BYTES] = self._pattern

    def _recover(self) -> None:
        """Take in a read that the last writer had begun and did not live to count."""
        if self._words[INTENT] == self.head + 1:
            size = min(self._words[COUNT], PATTERN_BYTES)
            at = DATA_AT + self.head % _ROOM
            if self._view[at:at + size] != self._view[PATTERN * 8:PATTERN * 8 + size]:
                self._words[HEAD] = self.head + self._words[COUNT]
        self._words[INTENT] = 0

    @property
    def head(self) -> int:
        """The offset behind the newest byte."""
        return self._words[HEAD]

    @property
    def recorded(self) -> int:
        """A word of the recorder's, 0 in a new ring."""
        return self._words[RECORDED]

    @recorded.setter
    def recorded(self, word: int) -> None:
        self._words[RECORDED] = word

    @property
    def start(self) -> int:
        """The oldest offset that is still held."""
        return max(0, self.head - RING_BYTES)

    def read_from(self, descriptor: int) -> int:
        """Read once from a PTY master into the ring; how many bytes. BlockingIOError or OSError as read(2)."""
        waiting = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0]
        place = self.head % _ROOM
        count = max(1, min(waiting, READ_BYTES, _ROOM - place))
        at = DATA_AT + place
        self._intend(at, count)
        try:
            with self._view[at:at + count] as room:
                taken = os.readv(descriptor, [room])
        except OSError:
            self._words[INTENT] = 0
            raise
        self._words[HEAD] = self.head + taken
        return taken

    def _intend(self, at: int, count: int) -> None:
        size = min(count, PATTERN_BYTES)
        self._view[at:at + size] = self._pattern[:size]
        self._words[COUNT] = count
        self._words[INTENT] = self.head + 1  # the last store makes the intent count

    def since(self, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes from ``offset``, which must be between start and head."""
        size = min(self.head - offset, limit)
        if size <= 0:
            return b""
        first = offset % _ROOM
        whole = bytes(self._view[DATA_AT + first:DATA_AT + min(first + size, _ROOM)])
        return whole + bytes(self._view[DATA_AT:DATA_AT + size - len(whole)])

    def received(self, client: int) -> int:
        """How many bytes of this client's input have reached the PTY."""
        return dict(self._clients()).get(client, 0)

    def note_received(self, client: int, offset: int) -> None:
        """Remember it; the client that typed longest ago makes room for a seventeenth.

        The typist before this one is usually the same: then one word changes, and nothing can be torn.
        """
        if self._words[TABLE] == client and self._words[TABLE + 1]:
            self._words[TABLE + 1] = offset
            return
        others = [entry for entry in self._clients() if entry[0] != client]
        for index, entry in enumerate([(client, offset), *others][:CLIENTS]):
            self._words[TABLE + 2 * index], self._words[TABLE + 2 * index + 1] = entry

    def _clients(self) -> list[tuple[int, int]]:
        """Who has typed, the latest first; an entry without input is a free one."""
        pairs = [(self._words[TABLE + 2 * n], self._words[TABLE + 2 * n + 1]) for n in range(CLIENTS)]
        return [pair for pair in pairs if pair[1]]

    def close(self) -> None:
        self._words.release()
        self._view.release()
        self._map.close()
