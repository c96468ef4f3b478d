"""The meeting of WebSockets and the terminal bus: one Redis subscription per ASGI process, shared by every viewer.

The hub knows which channel goes to which viewers, and when viewers must greet: once their channel is heard, again after
Redis was away or a frame could not be sent, and when a bridge says that it is new. A viewer greets with the offset of
the next byte it lacks, so a loss here costs a round trip and nothing else. Bytes pass through unread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import redis.asyncio as redis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from runtime_agent import protocol

RETRY_SECONDS = 0.5
IDLE_SECONDS = 10.0
SEND_SECONDS = 5.0
MAX_OUTGOING_FRAMES = 4096
AWAY = (redis.RedisError, OSError)
log = logging.getLogger(__name__)


class Viewer:
    """One WebSocket on one terminal. ``deliver`` takes a decoded frame, ``greet`` publishes its HELLO."""

    def __init__(self, terminal_id: str, viewer_id: int,
                 deliver: Callable[[protocol.Frame, tuple[int, ...], bytes], None], greet: Callable[[], None]):
        self.terminal_id, self.viewer_id = terminal_id, viewer_id
        self.deliver, self.greet = deliver, greet
        self.is_waiting = True
        """Its channel is not heard yet, so an answer to a greeting would pass unheard."""


class TerminalHub:
    """Lives in one event loop; ``current()`` makes it on first use."""

    def __init__(self, url: str):
        common = {"socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)}
        self.listener = redis.Redis.from_url(url, **common)
        self.publisher = redis.Redis.from_url(url, socket_timeout=SEND_SECONDS, **common)
        self.pubsub = self.listener.pubsub()
        self.subscribing = asyncio.Lock()  # redis-py opens two connections if two tasks subscribe first
        self.viewers: dict[str, set[Viewer]] = {}
        self.outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(MAX_OUTGOING_FRAMES)
        self.has_dropped = False
        self.tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._send())]

    # --- viewers ------------------------------------------------------------------------------------------

    async def join(self, viewer: Viewer) -> None:
        """The viewer greets as soon as Redis has confirmed that its channel is heard."""
        self.viewers.setdefault(viewer.terminal_id, set()).add(viewer)
        async with self.subscribing:
            with contextlib.suppress(*AWAY):  # then _listen subscribes to everything again
                await self.pubsub.subscribe(protocol.output_channel(viewer.terminal_id))

    async def leave(self, viewer: Viewer) -> None:
        self.publish(viewer, protocol.encode(protocol.Frame.BYE))
        self.viewers.get(viewer.terminal_id, set()).discard(viewer)
        async with self.subscribing:
            if not self.viewers.get(viewer.terminal_id):
                self.viewers.pop(viewer.terminal_id, None)
                with contextlib.suppress(*AWAY):
                    await self.pubsub.unsubscribe(protocol.output_channel(viewer.terminal_id))

    def all_viewers(self) -> Iterator[Viewer]:
        return (viewer for viewers in self.viewers.values() for viewer in viewers)

    def greet_all(self) -> None:
        for viewer in self.all_viewers():
            viewer.greet()

    async def close(self) -> None:
        """For tests: a process keeps its hub until it ends."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.pubsub.aclose()
        await self.listener.aclose()
        await self.publisher.aclose()

    # --- page -> bridge -----------------------------------------------------------------------------------

    def publish(self, viewer: Viewer, frame: bytes) -> None:
        """Send one browser frame to the bridge, in order. What can't be sent is dropped, and greeting again mends it."""
        try:
            self.outgoing.put_nowait((protocol.input_channel(viewer.terminal_id),
                                      protocol.address(viewer.viewer_id, frame)))
        except asyncio.QueueFull:
            self.has_dropped = True

    async def _send(self) -> None:
        while True:
            channel, frame = await self.outgoing.get()
            try:
                await self.publisher.publish(channel, frame)
            except AWAY as error:
                log.warning("redis is away, input waits at the page: %s", error)
                await self._wait_and_forget()
            if self.has_dropped and self.outgoing.empty():
                self.has_dropped = False
                self.greet_all()

    async def _wait_and_forget(self) -> None:
        await asyncio.sleep(RETRY_SECONDS)
        while not self.outgoing.empty():
            self.outgoing.get_nowait()
        self.has_dropped = True

    # --- bridge -> page -----------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                await self._subscribe_all()
                while True:
                    message = await self.pubsub.get_message(timeout=IDLE_SECONDS)
                    if message:
                        self._dispatch(message["type"], message["channel"].decode(), message["data"])
            except AWAY as error:
                log.warning("redis is away, again in %.1f s: %s", RETRY_SECONDS, error)
                await self._start_afresh()

    async def _subscribe_all(self) -> None:
        channels = [protocol.output_channel(terminal_id) for terminal_id in self.viewers]
        async with self.subscribing:
            await self.pubsub.subscribe(protocol.BRIDGE_HELLO_CHANNEL, *channels)

    async def _start_afresh(self) -> None:
        async with self.subscribing:
            with contextlib.suppress(*AWAY):
                await self.pubsub.aclose()
            self.pubsub = self.listener.pubsub()
            for viewer in self.all_viewers():
                viewer.is_waiting = True
        await asyncio.sleep(RETRY_SECONDS)

    def _dispatch(self, kind: str, channel: str, data: Any) -> None:
        if channel == protocol.BRIDGE_HELLO_CHANNEL:
            if kind == "message":
                self.greet_all()
            return
        viewers = self.viewers.get(channel.removeprefix("term:").removesuffix(":out"), set())
        if kind == "subscribe":
            for viewer in [viewer for viewer in viewers if viewer.is_waiting]:
                viewer.is_waiting = False
                viewer.greet()
        elif kind == "message":
            self._deliver(viewers, data)

    def _deliver(self, viewers: set[Viewer], bus_frame: bytes) -> None:
        try:
            addressee, frame = protocol.unaddress(bus_frame)
            decoded = protocol.decode(frame)
        except protocol.ProtocolError as error:
            log.warning("bad bus frame: %s", error)
            return
        for viewer in viewers:
            if addressee is None or addressee == viewer.viewer_id:
                viewer.deliver(*decoded)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, TerminalHub] = weakref.WeakKeyDictionary()


def current() -> TerminalHub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = TerminalHub(settings.REDIS_URL)
    return _hubs[loop]
