"""One TCP connection into a machine, or one file of a worker host, as the site sees it: credit both ways, offsets, an end.

A stream that loses a frame ends; nothing is repaired. runtime_agent/stream.py is the other side of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from runtime_agent.protocol import tunnel_codec
from runtime_agent.protocol.tunnel_codec import Tunnel, TunnelEnd

if TYPE_CHECKING:
    from labs.previews.tunnel import Tunnels

_REASONS = {int(reason): reason for reason in TunnelEnd}


class Closed(Exception):
    """The stream is over; ``end`` says why."""

    def __init__(self, end: TunnelEnd):
        super().__init__(end.name)
        self.end = end


class Stream:
    """One connection to a port. Every call raises Closed once the stream has ended badly."""

    def __init__(self, tunnels: Tunnels, number: int, host: str):
        self.tunnels, self.number, self.host = tunnels, number, host
        self.received, self.taken, self.credited = 0, 0, 0
        self.sent, self.may_send = 0, tunnel_codec.WINDOW_BYTES
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.is_open = self.at_end = False
        self.ended: TunnelEnd | None = None

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        while self.inbox.empty():
            self._check()
            if self.at_end:
                return b""
            await self._wait()
        data = self.inbox.get_nowait()
        self.taken += len(data)
        if self.taken - self.credited >= tunnel_codec.CREDIT_EVERY_BYTES:
            self.credited = self.taken
            await self._publish(Tunnel.CREDIT, self.taken)
        return data

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            while self.sent >= self.may_send:
                await self._wait()
            chunk = view[:min(tunnel_codec.MAX_CHUNK_BYTES, self.may_send - self.sent)]
            await self._publish(Tunnel.DATA, self.sent, data=bytes(chunk))
            self.sent += len(chunk)
            view = view[len(chunk):]

    async def wait_open(self) -> None:
        while not self.is_open:
            await self._wait()

    async def close(self) -> None:
        """Let go of it, whatever its state. Repeats safely."""
        if self.tunnels.streams.pop(self.number, None) and self.ended is None:
            self.ended = TunnelEnd.LEFT
            with contextlib.suppress(Closed):
                await self.tunnels.publish(self.host, tunnel_codec.encode(Tunnel.RESET, self.tunnels.site, self.number,
                                                                          TunnelEnd.LEFT))

    def take(self, kind: Tunnel, fields: tuple[int, ...], data: bytes) -> None:
        """One frame of the worker's."""
        if kind is Tunnel.OPENED:
            self.is_open = True
        elif kind is Tunnel.CREDIT:
            self.may_send = max(self.may_send, min(fields[0], self.sent) + tunnel_codec.WINDOW_BYTES)
        elif kind is Tunnel.RESET:
            self.end(_REASONS.get(fields[0], TunnelEnd.BROKEN))
        elif kind in (Tunnel.DATA, Tunnel.END):
            if fields[0] != self.received or self.received + len(data) - self.taken > tunnel_codec.WINDOW_BYTES:
                self.end(TunnelEnd.LOST)
                return
            self.received += len(data)
            if kind is Tunnel.DATA:
                self.inbox.put_nowait(data)
            else:
                self.at_end = True
        self.changed.set()

    def end(self, reason: TunnelEnd) -> None:
        self.ended = self.ended or reason
        self.changed.set()

    async def _wait(self) -> None:
        self._check()
        self.changed.clear()
        await self.changed.wait()
        self._check()

    def _check(self) -> None:
        if self.ended is not None:
            raise Closed(self.ended)

    async def _publish(self, kind: Tunnel, *fields: int, data: bytes = b"") -> None:
        self._check()
        await self.tunnels.publish(self.host, tunnel_codec.encode(kind, self.tunnels.site, self.number, *fields, data=data))
