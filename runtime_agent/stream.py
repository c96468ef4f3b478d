"""One stream of the tunnel: a TCP connection into a sandbox, its credit in both directions, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

from runtime_agent.preview_target import Refused
from runtime_agent.protocol import tunnel_codec
from runtime_agent.protocol.tunnel_codec import Tunnel, TunnelEnd

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 15 * 60.0
"""A WebSocket whose program says nothing for longer is given up; most programs ping."""


class Rate:
    """Bytes per second, shared by the streams of one session; a second's worth may come at once."""

    def __init__(self, bytes_per_second: int):
        self.bytes_per_second, self.free_at = bytes_per_second, 0.0

    async def take(self, count: int) -> None:
        now = asyncio.get_running_loop().time()
        self.free_at = max(self.free_at, now - 1.0) + count / self.bytes_per_second
        if self.free_at > now:
            await asyncio.sleep(self.free_at - now)


class Stream:
    """``tunnel`` publishes for it and forgets it when it has ended; it ends once, by whoever is first."""

    def __init__(self, tunnel: Any, site: int, number: int, session: bytes, rate: Rate):
        self.tunnel, self.site, self.number, self.session, self.rate = tunnel, site, number, session, rate
        self.sent, self.may_send, self.received, self.taken, self.credited = 0, tunnel_codec.WINDOW_BYTES, 0, 0, 0
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.has_credit = asyncio.Event()
        self.has_ended = False
        self.writer: asyncio.StreamWriter | None = None
        self.last_seen = asyncio.get_running_loop().time()

    def start(self, open_target: Callable[[], tuple[socket.socket, Sequence[str]]], port: int) -> None:
        self.task = asyncio.create_task(self._run(open_target, port))

    def end(self, reason: TunnelEnd | None = None) -> None:
        """Drop the connection, and tell the site why if there is a reason."""
        if self.has_ended:
            return
        self.has_ended = True
        self.tunnel.forget(self)
        if reason is not None:
            self._publish(Tunnel.RESET, reason)
        if self.writer:
            self.writer.transport.abort()
        self.task.cancel()

    def is_idle(self) -> bool:
        return asyncio.get_running_loop().time() - self.last_seen > IDLE_SECONDS

    # --- from the site ------------------------------------------------------------------------------------

    def take(self, kind: Tunnel, fields: tuple[int, ...], data: bytes) -> None:
        self.last_seen = asyncio.get_running_loop().time()
        if kind is Tunnel.RESET:
            self.end()
        elif kind is Tunnel.CREDIT:
            self.may_send = max(self.may_send, min(fields[0], self.sent) + tunnel_codec.WINDOW_BYTES)
            self.has_credit.set()
        elif kind in (Tunnel.DATA, Tunnel.END):
            self._receive(fields[0], data if kind is Tunnel.DATA else None)

    def _receive(self, offset: int, data: bytes | None) -> None:
        if offset != self.received or self.received + len(data or b"") - self.taken > tunnel_codec.WINDOW_BYTES:
            self.end(TunnelEnd.LOST)
            return
        self.received += len(data or b"")
        self.inbox.put_nowait(data)

    # --- the connection -----------------------------------------------------------------------------------

    async def _run(self, open_target: Callable[[], tuple[socket.socket, Sequence[str]]], port: int) -> None:
        try:
            reader, self.writer = await self._connect(open_target, port)
            self._publish(Tunnel.OPENED)
            await self._pump(reader, self.writer)
            self.end()
        except Refused as refused:
            self.end(refused.end)
        except TimeoutError:
            self.end(TunnelEnd.TOO_SLOW)
        except OSError:
            self.end(TunnelEnd.BROKEN if self.writer else TunnelEnd.NOTHING_LISTENS)

    async def _connect(self, open_target: Callable[[], tuple[socket.socket, Sequence[str]]], port: int,
                       ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Try the machine's addresses in order; a refused socket may be connected again (connect(2) on
        Linux)."""
        loop = asyncio.get_running_loop()
        target, addresses = await loop.run_in_executor(None, open_target)
        with contextlib.ExitStack() as stack:
            stack.callback(target.close)
            for address in addresses:
                with contextlib.suppress(ConnectionRefusedError):
                    async with asyncio.timeout(CONNECT_SECONDS):
                        await loop.sock_connect(target, (address, port))
                    stack.pop_all()
                    return await asyncio.open_connection(sock=target, limit=2 * tunnel_codec.MAX_CHUNK_BYTES)
        raise Refused(TunnelEnd.NOTHING_LISTENS)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pumps = [asyncio.create_task(self._pump_out(reader)), asyncio.create_task(self._pump_in(writer))]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump_out(self, reader: asyncio.StreamReader) -> None:
        while True:
            while self.sent >= self.may_send:
                self.has_credit.clear()
                await self.has_credit.wait()
            data = await reader.read(min(tunnel_codec.MAX_CHUNK_BYTES, self.may_send - self.sent))
            await self.rate.take(len(data))
            await self.tunnel.wait_for_flow()
            if not data:
                self._publish(Tunnel.END, self.sent)
                return
            self._publish(Tunnel.DATA, self.sent, data=data)
            self.sent += len(data)
            self.last_seen = asyncio.get_running_loop().time()

    async def _pump_in(self, writer: asyncio.StreamWriter) -> None:
        while (data := await self.inbox.get()) is not None:
            await self.rate.take(len(data))
            writer.write(data)
            await writer.drain()
            self.taken += len(data)
            if self.taken - self.credited >= tunnel_codec.CREDIT_EVERY_BYTES:
                self.credited = self.taken
                self._publish(Tunnel.CREDIT, self.taken)
        writer.write_eof()

    def _publish(self, kind: Tunnel, *fields: int, data: bytes = b"") -> None:
        self.tunnel.publish(self.site, tunnel_codec.encode(kind, self.site, self.number, *fields, data=data))
