"""The meeting of WebSockets and the terminal bus: one Redis subscription per ASGI process, shared by every viewer.

Bytes pass through unread. The hub only knows which channel goes to which viewers, and when viewers must greet again:
after Redis was away, and when a bridge says that it is new. A page drops what it has seen and asks for what it lacks,
so a loss here costs a round trip and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis
from django.conf import settings

from runtime_agent import protocol

RETRY_SECONDS = 0.5
IDLE_SECONDS = 10.0
log = logging.getLogger(__name__)


class Viewer:
    """One WebSocket on one terminal. ``deliver`` takes browser frames, ``greet_again`` repeats its HELLO."""

    def __init__(self, terminal_id: str, viewer_id: int, deliver: Callable[[bytes], None],
                 greet_again: Callable[[], None]):
        self.terminal_id, self.viewer_id = terminal_id, viewer_id
        self.deliver, self.greet_again = deliver, greet_again


class TerminalHub:
    """Lives in one event loop; ``current()`` makes it on first use."""

    def __init__(self, url: str):
        self.connection = redis.Redis.from_url(url, socket_connect_timeout=2, socket_keepalive=url.startswith("redis"))
        self.pubsub = self.connection.pubsub()
        self.viewers: dict[str, set[Viewer]] = defaultdict(set)
        self.listening = asyncio.ensure_future(self._listen())
        self.outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.sending = asyncio.ensure_future(self._send())

    async def join(self, viewer: Viewer) -> None:
        """Subscribe before the viewer greets, or its WELCOME could pass unheard."""
        is_first = not self.viewers[viewer.terminal_id]
        self.viewers[viewer.terminal_id].add(viewer)
        if is_first:
            with contextlib.suppress(redis.RedisError, OSError):
                await self.pubsub.subscribe(protocol.output_channel(viewer.terminal_id))

    async def leave(self, viewer: Viewer) -> None:
        self.publish(viewer, protocol.encode(protocol.Frame.BYE))
        others = self.viewers[viewer.terminal_id]
        others.discard(viewer)
        if not others:
            del self.viewers[viewer.terminal_id]
            with contextlib.suppress(redis.RedisError, OSError):
                await self.pubsub.unsubscribe(protocol.output_channel(viewer.terminal_id))

    def publish(self, viewer: Viewer, frame: bytes) -> None:
        """Send one browser frame to the bridge, in order. While Redis is away it is dropped: pages send again."""
        self.outgoing.put_nowait((protocol.input_channel(viewer.terminal_id),
                                  protocol.address(viewer.viewer_id, frame)))

    async def _send(self) -> None:
        while True:
            channel, frame = await self.outgoing.get()
            try:
                await self.connection.publish(channel, frame)
            except (redis.RedisError, OSError) as error:
                log.warning("redis is away, input waits at the page: %s", error)

    async def _listen(self) -> None:
        while True:
            try:
                await self._subscribe_all()
                self._greet_all()
                while True:
                    message = await self.pubsub.get_message(ignore_subscribe_messages=True, timeout=IDLE_SECONDS)
                    if message:
                        self._dispatch(message)
            except (redis.RedisError, OSError) as error:
                log.warning("redis is away, again in %.1f s: %s", RETRY_SECONDS, error)
                await self._start_afresh()

    async def _start_afresh(self) -> None:
        with contextlib.suppress(redis.RedisError, OSError):
            await self.pubsub.aclose()
        self.pubsub = self.connection.pubsub()
        await asyncio.sleep(RETRY_SECONDS)

    async def _subscribe_all(self) -> None:
        channels = [protocol.output_channel(terminal_id) for terminal_id in self.viewers]
        await self.pubsub.subscribe(protocol.BRIDGE_HELLO_CHANNEL, *channels)

    def _greet_all(self) -> None:
        for viewers in self.viewers.values():
            for viewer in viewers:
                viewer.greet_again()

    def _dispatch(self, message: dict[str, Any]) -> None:
        channel = message["channel"].decode()
        if channel == protocol.BRIDGE_HELLO_CHANNEL:
            self._greet_all()
            return
        try:
            addressee, frame = protocol.unaddress(message["data"])
        except protocol.ProtocolError as error:
            log.warning("bad bus frame: %s", error)
            return
        terminal_id = channel.removeprefix("term:").removesuffix(":out")
        for viewer in self.viewers.get(terminal_id, ()):
            if addressee is None or addressee == viewer.viewer_id:
                viewer.deliver(frame)


_hubs: dict[int, TerminalHub] = {}


def current() -> TerminalHub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if id(loop) not in _hubs:
        _hubs[id(loop)] = TerminalHub(settings.REDIS_URL)
    return _hubs[id(loop)]
