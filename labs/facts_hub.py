"""The meeting of open X-ray panels and the agents: one Redis subscription per ASGI process, shared by every panel.

While a session has a panel here, its agent is told so every few seconds; the agent looks for as long as it is told.
Frames pass through unread but for their version: a panel that misses one, also because Redis was away, asks for the
whole document, so a loss costs one round trip and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio as redis
from django.conf import settings

from runtime_agent import protocol
from runtime_agent.protocol import facts_codec
from runtime_agent.protocol.facts_codec import FactsFrame

KEEP_SECONDS = protocol.FACTS_WATCH_SECONDS / 3
RETRY_SECONDS = 0.5
AWAY = (redis.RedisError, OSError)
log = logging.getLogger(__name__)


class Panel:
    """One WebSocket that shows a session's facts. ``send`` takes a frame and is awaited in order; whatever it raises means
    that nobody is there any more."""

    def __init__(self, session_id: str, send: Callable[[bytes], Awaitable[None]]):
        self.session_id, self.send = session_id, send
        self.version: int | None = None
        self.has_history = False

    def wants(self, version: int, kind: FactsFrame) -> tuple[bool, bool]:
        """(forward this frame, something is missing)."""
        if kind is FactsFrame.REMARK:
            return True, False
        if kind is FactsFrame.HISTORY:
            is_news, self.has_history = not self.has_history, True
            return is_news, False
        if kind is FactsFrame.WHOLE:
            is_news = version != self.version
            self.version = version
            return is_news, False
        if self.version is None or version <= self.version:
            return False, False
        if version != self.version + 1:
            return False, True
        self.version = version
        return True, False


class FactsHub:
    """Lives in one event loop; ``current()`` makes it on first use."""

    def __init__(self, url: str):
        self.redis = redis.Redis.from_url(url, socket_connect_timeout=2)
        self.pubsub = self.redis.pubsub()
        self.panels: dict[str, set[Panel]] = {}
        self.changing = asyncio.Lock()  # redis-py opens two connections if two tasks subscribe first
        self.is_subscribed = False
        self.tasks = [asyncio.ensure_future(self._keep()), asyncio.ensure_future(self._listen())]

    async def join(self, panel: Panel) -> None:
        """The whole document is asked for when Redis has confirmed that the session's channel is heard."""
        async with self.changing:
            is_first = panel.session_id not in self.panels
            self.panels.setdefault(panel.session_id, set()).add(panel)
            if is_first and self.is_subscribed:
                with contextlib.suppress(*AWAY):  # then _listen subscribes to everything again
                    await self.pubsub.subscribe(protocol.facts_channel(panel.session_id))
        if not is_first:
            await self.ask(panel.session_id, protocol.FACTS_OPEN)

    async def leave(self, panel: Panel) -> None:
        async with self.changing:
            panels = self.panels.get(panel.session_id, set())
            panels.discard(panel)
            if not panels and self.panels.pop(panel.session_id, None) is not None:
                with contextlib.suppress(*AWAY):
                    await self.pubsub.unsubscribe(protocol.facts_channel(panel.session_id))

    async def ask(self, session_id: str, wish: bytes) -> None:
        with contextlib.suppress(*AWAY):
            await self.redis.publish(protocol.facts_wish_channel(session_id), wish)

    async def close(self) -> None:
        """For tests: a process keeps its hub until it ends."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.pubsub.aclose()
        await self.redis.aclose()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            for session_id in list(self.panels):
                await self.ask(session_id, protocol.FACTS_KEEP)

    async def _listen(self) -> None:
        while True:
            try:
                await self._subscribe_all()
                while True:
                    if message := await self.pubsub.get_message(timeout=5.0):
                        await self._take(message)
            except Exception as error:  # all panels of this process hang on this task: it goes on whatever happens
                if isinstance(error, AWAY):
                    log.warning("redis is away, facts again in %.1f s: %s", RETRY_SECONDS, error)
                else:
                    log.exception("facts are subscribed to again")
                async with self.changing:
                    self.is_subscribed = False
                    with contextlib.suppress(*AWAY):
                        await self.pubsub.aclose()
                    self.pubsub = self.redis.pubsub()
                await asyncio.sleep(RETRY_SECONDS)

    async def _subscribe_all(self) -> None:
        async with self.changing:
            await self.pubsub.subscribe(protocol.FACTS_HELLO_CHANNEL, *map(protocol.facts_channel, self.panels))
            self.is_subscribed = True

    async def _take(self, message: dict[str, Any]) -> None:
        channel = message["channel"].decode()
        session_id = channel.removeprefix("facts:").removesuffix(":out")
        if channel == protocol.FACTS_HELLO_CHANNEL:
            for watched in list(self.panels) if message["type"] == "message" else ():
                await self.ask(watched, protocol.FACTS_OPEN)
        elif message["type"] == "subscribe":
            await self.ask(session_id, protocol.FACTS_OPEN)
        elif message["type"] == "message":
            try:
                version, kind = facts_codec.decode(message["data"])
            except protocol.ProtocolError as error:
                log.warning("bad facts frame session_id=%s: %s", session_id, error)
                return
            await self._deliver(session_id, version, kind, message["data"])

    async def _deliver(self, session_id: str, version: int, kind: FactsFrame, frame: bytes) -> None:
        lacks = False
        for panel in list(self.panels.get(session_id, ())):
            is_wanted, is_missing = panel.wants(version, kind)
            lacks = lacks or is_missing
            if is_wanted:
                await self._send(panel, frame)
        if lacks:
            await self.ask(session_id, protocol.FACTS_OPEN)

    async def _send(self, panel: Panel, frame: bytes) -> None:
        """A page that is just closing its socket makes the server raise; that must not cost the others their picture."""
        try:
            await panel.send(frame)
        except Exception as error:
            log.info("panel is gone session_id=%s: %r", panel.session_id, error)
            await self.leave(panel)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, FactsHub] = weakref.WeakKeyDictionary()


def current() -> FactsHub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = FactsHub(settings.REDIS_URL)
    return _hubs[loop]
