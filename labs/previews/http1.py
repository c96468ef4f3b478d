"""HTTP/1.1 as a client speaks it, RFC 9112: one request on a connection of its own, and the answer to it.

One request for each connection leaves no room for answers that run into each other. The other end is a
student's program, so every length is bounded and what is not plainly right is refused.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_LINE_BYTES = 1024
Headers = list[tuple[bytes, bytes]]

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class BadAnswer(Exception):
    """What came is no HTTP, or ended too early."""


def request(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of a request. What would break out of its line is a ValueError."""
    lines = [method.encode("ascii") + b" " + target + b" HTTP/1.1", *(name + b": " + value for name, value in headers)]
    if any(re.search(rb"[\x00\r\n]", line) for line in lines) or b" " in target:
        raise ValueError("a line of the request holds a line break")
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Answer:
    """Reads one answer. ``read`` gives the next bytes and nothing at the end."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], method: str):
        self._read, self._method, self._buffer = read, method, b""
        self.status, self._is_chunked = 0, False
        self.headers: Headers = []

    async def head(self) -> None:
        """Read status and headers, past interim answers."""
        while self.status < 200:
            lines = (await self._until(rb"\r?\n\r?\n", MAX_HEAD_BYTES)).replace(b"\r\n", b"\n").split(b"\n")
            match = _STATUS.fullmatch(lines[0])
            if not match or match[1] == b"101":
                raise BadAnswer("no HTTP")
            self.status = int(match[1])
            fields = [_HEADER.fullmatch(line) for line in lines[1:]]
            if not all(fields):
                raise BadAnswer("a header is malformed")
            self.headers = [(field[1].lower(), field[2]) for field in fields if field]
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            raise BadAnswer("an unknown transfer coding")
        self._is_chunked = bool(codings)

    async def body(self) -> AsyncIterator[bytes]:
        """The body in pieces. Raises BadAnswer if it ends before its end."""
        if self._method == "HEAD" or self.status in (204, 304):
            return
        async for piece in self._framed():
            if piece:
                yield piece

    def length(self) -> int | None:
        """What Content-Length says; None for other framings. Raises BadAnswer."""
        values = {value for name, value in self.headers if name == b"content-length"}
        if not values or self._is_chunked:
            return None
        value = values.pop()
        if values or not re.fullmatch(rb"[0-9]{1,15}", value):
            raise BadAnswer("Content-Length is no number")
        return int(value)

    def _framed(self) -> AsyncIterator[bytes]:
        if self._is_chunked:
            return self._chunks()
        length = self.length()
        return self._exactly(length) if length is not None else self._rest()

    async def _rest(self) -> AsyncIterator[bytes]:
        yield self._take(len(self._buffer))
        while data := await self._read():
            yield data

    async def _exactly(self, count: int) -> AsyncIterator[bytes]:
        while count:
            if not self._buffer:
                await self._more()
            piece = self._take(count)
            count -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            match = _CHUNK.fullmatch((await self._until(rb"\r?\n", MAX_CHUNK_LINE_BYTES)).rstrip(b"\r\n"))
            if not match:
                raise BadAnswer("a chunk has no size")
            if not (size := int(match[1], 16)):
                break
            async for piece in self._exactly(size):
                yield piece
            if (await self._until(rb"\r?\n", 2)).strip():
                raise BadAnswer("a chunk is longer than it says")
        while await self._until(rb"\r?\n", MAX_HEAD_BYTES) not in (b"", b"\r"):
            pass  # trailers

    def _take(self, count: int) -> bytes:
        piece, self._buffer = self._buffer[:count], self._buffer[count:]
        return piece

    async def _more(self) -> None:
        data = await self._read()
        if not data:
            raise BadAnswer("it ended too early")
        self._buffer += data

    async def _until(self, mark: bytes, most: int) -> bytes:
        """What stands before the mark, which is taken as well."""
        while not (match := re.search(mark, self._buffer[:most + 4])):
            if len(self._buffer) > most:
                raise BadAnswer("a line or a head is too long")
            await self._more()
        return self._take(match.end())[:match.start()]
