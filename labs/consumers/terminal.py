"""One viewer of one terminal: raw frames between a page and the bus.

The session is found through the user, so a stranger's id is an id that does not exist. What comes from a page is
checked by terminal_codec.decode before anything is done with it; one bad frame closes the socket, is logged and counted.
Whether a viewer only watches is decided here, never by the page.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async
from prometheus_client import Counter

from labs import terminal_hub
from labs.models import LabSession
from labs.terminal_cursor import Cursor
from runtime_agent import protocol
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.reasons import (
    CLOSE_BAD_FRAME,
    CLOSE_BUSY,
    CLOSE_ENDED,
    CLOSE_FRAME_TOO_LARGE,
    CLOSE_NOT_FOUND,
    CLOSE_SIGNED_OUT,
)
from runtime_agent.protocol.terminal_codec import Frame

HELLO_SECONDS = 10.0
MAX_OUTBOX_BYTES = 1024 * 1024
"""Eight windows: only a socket that takes nothing at all gets there."""
log = logging.getLogger(__name__)
refused = Counter("bulkhead_terminal_frames_refused_total", "Frames from pages that broke the protocol", ["reason"])
Message = dict[str, Any]


class TerminalConsumer:
    """Frames are handled in the order in which they come, so keystrokes can't change places.

    An ASGI application and not one of Channels' consumers: their dispatch costs each key two tasks and a visit to a
    thread, and each socket a poll of Redis every five seconds for messages that a terminal never gets.
    """

    terminal_id = ""
    viewer: terminal_hub.Viewer | None = None
    impatience: asyncio.TimerHandle | None = None
    writer: asyncio.Task[None] | None = None
    is_closing = False
    is_watching = False

    def __init__(self, scope: Message, send: Callable[[Message], Awaitable[None]]):
        self.scope, self.send = scope, send

    @classmethod
    def as_asgi(cls) -> Callable[..., Awaitable[None]]:
        async def application(scope: Message, receive: Callable[[], Awaitable[Message]],
                              send: Callable[[Message], Awaitable[None]]) -> None:
            await cls(scope, send).serve(receive)
        return application

    async def serve(self, receive: Callable[[], Awaitable[Message]]) -> None:
        """Until the socket is closed, whoever closes it."""
        try:
            await self.connect()
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await self.receive(message.get("bytes"))
        finally:
            self.disconnect()

    async def connect(self) -> None:
        await self.send({"type": "websocket.accept"})  # before any refusal: a close code reaches the page only on an open socket
        if not self.scope["user"].is_authenticated:
            return await self.finish(CLOSE_SIGNED_OUT)
        arguments = self.scope["url_route"]["kwargs"]
        try:
            terminal_id = protocol.terminal_id(arguments["session_id"], arguments["number"])
        except protocol.ProtocolError:
            return await self.finish(CLOSE_NOT_FOUND)
        session = await self._find(arguments["session_id"])
        if session is None:
            return await self.finish(CLOSE_NOT_FOUND)
        if not session.is_active:
            return await self.finish(CLOSE_ENDED)
        self.terminal_id, self.cursor, self.loop = terminal_id, Cursor(), asyncio.get_running_loop()
        self.impatience = self.loop.call_later(HELLO_SECONDS, self._refuse_later, "no-hello")

    @database_sync_to_async
    def _find(self, session_id: str) -> LabSession | None:
        return LabSession.objects.filter(user=self.scope["user"], pk=session_id).only("state").first()

    async def finish(self, code: int) -> None:
        self.is_closing = True
        await self.send({"type": "websocket.close", "code": code})

    def disconnect(self) -> None:
        self.is_closing = True
        if self.impatience:
            self.impatience.cancel()
        if self.writer:
            self.writer.cancel()
        if self.viewer:
            terminal_hub.current().leave(self.viewer)

    # --- page -> bridge -----------------------------------------------------------------------------------

    async def receive(self, frame: bytes | None) -> None:
        if self.is_closing:
            return
        try:
            kind, fields = self._judge(frame)
        except protocol.ProtocolError as error:
            await self.refuse(error.reason)
            return
        if kind is Frame.HELLO:
            self._greeted(fields)
            return
        if kind is Frame.PING:
            self._post(terminal_codec.encode(Frame.PONG, *fields))
            return
        if kind is Frame.RESIZE:
            self.hello = (*self.hello[:4], *fields)  # a bridge that is greeted anew must not bring the old size back
        if kind is Frame.ACK and self.cursor.acknowledge(fields[0]):
            self._greet()
        if not self.is_watching:
            terminal_hub.current().publish(self.viewer, frame)

    def _judge(self, frame: bytes | None) -> tuple[Frame, tuple[int, ...]]:
        if frame is None:
            raise protocol.ProtocolError("not-binary")
        if len(frame) > terminal_codec.MAX_BROWSER_FRAME_BYTES:
            raise protocol.ProtocolError("too-large")
        kind, fields, _ = terminal_codec.decode(frame)
        if kind not in terminal_codec.FROM_PAGE:
            raise protocol.ProtocolError("wrong-way", kind.name)
        if kind is Frame.HELLO and fields[0] != protocol.VERSION:
            raise protocol.ProtocolError("version", str(fields[0]))
        if kind is not Frame.HELLO and self.viewer is None:
            raise protocol.ProtocolError("before-hello")
        return kind, fields

    async def refuse(self, reason: str) -> None:
        refused.labels(reason).inc()
        log.warning("bad frame reason=%s session_id=%s user=%s", reason, self.terminal_id, self.scope["user"].pk)
        await self.finish(CLOSE_FRAME_TOO_LARGE if reason == "too-large" else CLOSE_BAD_FRAME)

    def _refuse_later(self, reason: str) -> None:
        self.refusal = asyncio.ensure_future(self.refuse(reason))

    def _greeted(self, hello: tuple[int, ...]) -> None:
        """A page greets once it is open, and again when it misses something."""
        self.impatience.cancel()
        self.hello = hello
        self.cursor.start_at(hello[3])
        if self.viewer:
            self._greet()
            return
        self.is_watching = self.is_watching or bool(hello[1] & terminal_codec.READ_ONLY)
        self.viewer = terminal_hub.Viewer(self.terminal_id, self._viewer_id(hello[2]), self.scope["user"].pk,
                                          self._deliver, self._greet, self._dismiss)
        self.outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.outbox_bytes = 0
        self.writer = asyncio.ensure_future(self._write())
        terminal_hub.current().join(self.viewer)

    def _dismiss(self) -> None:
        """Nothing that comes from the page counts from now on; who may, comes back."""
        self.is_closing = True
        self.closing = asyncio.ensure_future(self.finish(CLOSE_BUSY))

    def _viewer_id(self, client: int) -> int:
        """A page names itself at random; bound to its user, so that nobody can pass for another's page."""
        name = f"{self.scope['user'].pk}:{client}:{int(self.is_watching)}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")

    def _greet(self) -> None:
        """From where the page is by now; the hub calls this whenever the bridge has to know."""
        version, _, client, _, rows, cols = self.hello
        self.cursor.note_greeting(self.loop.time())
        flags = terminal_codec.READ_ONLY if self.is_watching else 0
        terminal_hub.current().publish(self.viewer, terminal_codec.encode(
            Frame.HELLO, version, flags, client, self.cursor.resume, rows, cols))

    # --- bridge -> page -----------------------------------------------------------------------------------

    def _deliver(self, kind: Frame, fields: tuple[int, ...], body: bytes) -> None:
        frame, lacks_something = self.cursor.take(kind, fields, body, self.loop.time())
        if lacks_something:
            self._greet()
        if frame is not None and not self.is_closing:
            self._post(frame)

    def _post(self, frame: bytes) -> None:
        self.outbox_bytes += len(frame)
        self.outbox.put_nowait(frame)
        if self.outbox_bytes > MAX_OUTBOX_BYTES:
            log.warning("socket takes nothing session_id=%s bytes=%d", self.terminal_id, self.outbox_bytes)
            self._dismiss()

    async def _write(self) -> None:
        """One writer, so that frames leave in the order in which they came."""
        while True:
            frame = await self.outbox.get()
            await self.send({"type": "websocket.send", "bytes": frame})
            self.outbox_bytes -= len(frame)
