"""The site's end of the tunnel: all streams to worker hosts, over one Redis subscription for each ASGI process.

PUBLISH answers with the number of those who received it, and that is how a worker host that is gone is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import weakref

import redis.asyncio as redis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from labs.previews.stream import Closed, Stream
from runtime_agent import protocol
from runtime_agent.protocol import tunnel_codec
from runtime_agent.protocol.tunnel_codec import Tunnel, TunnelEnd

OPEN_SECONDS = 8.0
FETCH_SECONDS = 30.0
ALIVE_SECONDS = 10.0
RETRY_SECONDS = 0.5
MAX_STREAMS = 256
AWAY = (redis.RedisError, OSError)
log = logging.getLogger(__name__)


class Tunnels:
    """All streams of one event loop; ``current()`` makes it on first use."""

    def __init__(self, url: str):
        common = {"socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)}
        self.listener = redis.Redis.from_url(url, **common)
        self.publisher = redis.Redis.from_url(url, socket_timeout=5, **common)
        self.site = secrets.randbits(63) + 1
        self.numbers = itertools.count(1)
        self.streams: dict[int, Stream] = {}
        self.is_heard = asyncio.Event()
        self.publishing = asyncio.Lock()  # frames of a stream must not overtake each other
        self.tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._look_after())]

    async def open(self, host: str, session_id: str, machine: str, port: int) -> Stream:
        """A stream to a port that has accepted. Raises Closed."""
        return await self._open(host, Tunnel.OPEN, port, data=f"{session_id}/{machine}".encode())

    async def fetch(self, host: str, session_id: str, name: str = "") -> bytes:
        """A recording of the session, or without a name their list. Raises Closed (NO_SANDBOX if there is none)."""
        stream = await self._open(host, Tunnel.FETCH, data=f"{session_id}/{name}".encode())
        parts = []
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                while part := await stream.read():
                    parts.append(part)
        except TimeoutError:
            raise Closed(TunnelEnd.TOO_SLOW) from None
        finally:
            await stream.close()
        return b"".join(parts)

    async def _open(self, host: str, kind: Tunnel, *fields: int, data: bytes) -> Stream:
        if len(self.streams) >= MAX_STREAMS:
            raise Closed(TunnelEnd.TOO_MANY)
        stream = Stream(self, next(self.numbers), host)
        self.streams[stream.number] = stream
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self.is_heard.wait()
                await self.publish(host, tunnel_codec.encode(kind, self.site, stream.number, *fields, data=data))
                await stream.wait_open()
            return stream
        except TimeoutError:
            await stream.close()
            raise Closed(TunnelEnd.TOO_SLOW) from None
        except BaseException:
            await stream.close()
            raise

    async def publish(self, host: str, frame: bytes) -> None:
        """Raises Closed if nobody receives it, or Redis is away."""
        try:
            async with self.publishing:
                receivers = await self.publisher.publish(protocol.tunnel_channel(host), frame)
        except AWAY as error:
            log.warning("redis is away, previews end: %s", error)
            raise Closed(TunnelEnd.LOST) from None
        if receivers == 0:
            self._end(host, TunnelEnd.NO_WORKER)
            raise Closed(TunnelEnd.NO_WORKER)

    async def close(self) -> None:
        """For tests: a process keeps its streams until it ends."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.listener.aclose()
        await self.publisher.aclose()

    # --- from the worker hosts ----------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                async with self.listener.pubsub() as pubsub:
                    await pubsub.subscribe(protocol.tunnel_site_channel(self.site), protocol.TUNNEL_HELLO_CHANNEL)
                    while True:
                        message = await pubsub.get_message(timeout=ALIVE_SECONDS)
                        if message:
                            self._dispatch(message)
            except AWAY as error:
                log.warning("redis is away, again in %.1f s: %s", RETRY_SECONDS, error)
                self.is_heard.clear()
                for stream in self.streams.values():
                    stream.end(TunnelEnd.LOST)
                await asyncio.sleep(RETRY_SECONDS)

    def _dispatch(self, message: dict) -> None:
        if message["type"] == "subscribe":
            self.is_heard.set()
        elif message["channel"].decode() == protocol.TUNNEL_HELLO_CHANNEL:
            self._end(message["data"].decode(errors="replace"), TunnelEnd.LOST)
        else:
            self._take(message["data"])

    def _take(self, frame: bytes) -> None:
        try:
            kind, _, number, fields, data = tunnel_codec.decode(frame)
        except protocol.ProtocolError as error:
            log.warning("bad tunnel frame: %s", error)
            return
        stream = self.streams.get(number)
        if stream:
            stream.take(kind, fields, data)

    def _end(self, host: str, reason: TunnelEnd) -> None:
        for stream in self.streams.values():
            if stream.host == host:
                stream.end(reason)

    async def _look_after(self) -> None:
        """A page may wait long for an answer from a host that is gone."""
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            for host in {stream.host for stream in self.streams.values() if stream.ended is None}:
                with contextlib.suppress(Closed):
                    await self.publish(host, tunnel_codec.encode(Tunnel.ALIVE, self.site, 0))


_tunnels: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Tunnels] = weakref.WeakKeyDictionary()


def current() -> Tunnels:
    """The streams of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _tunnels:
        _tunnels[loop] = Tunnels(settings.REDIS_URL)
    return _tunnels[loop]
