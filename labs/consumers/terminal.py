"""One viewer of one terminal: raw frames between a page and the bus.

The session is found through the user, so a stranger's id is an id that does not exist. What comes from a page is
checked by protocol.decode before anything is done with it; one bad frame closes the socket, is logged and counted.
Whether a viewer only watches is decided here, never by the page.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from prometheus_client import Counter

from labs import terminal_hub
from labs.models import LabSession
from labs.terminal_cursor import Cursor
from runtime_agent import protocol
from runtime_agent.protocol import Frame

HELLO_SECONDS = 10.0
MAX_OUTBOX_BYTES = 1024 * 1024
"""Eight windows: only a socket that takes nothing at all gets there."""
log = logging.getLogger(__name__)
refused = Counter("bulkhead_terminal_frames_refused_total", "Frames from pages that broke the protocol", ["reason"])


class TerminalConsumer(AsyncWebsocketConsumer):
    """Frames are handled in the order in which they come, so keystrokes can't change places."""

    terminal_id = ""
    viewer: terminal_hub.Viewer | None = None
    impatience: asyncio.TimerHandle | None = None
    writer: asyncio.Task[None] | None = None
    is_closing = False
    is_watching = False

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a close code reaches the page only on an open socket
        if not self.scope["user"].is_authenticated:
            return await self.finish(protocol.CLOSE_SIGNED_OUT)
        arguments = self.scope["url_route"]["kwargs"]
        try:
            terminal_id = protocol.terminal_id(arguments["session_id"], arguments["number"])
        except protocol.ProtocolError:
            return await self.finish(protocol.CLOSE_NOT_FOUND)
        session = await self._find(arguments["session_id"])
        if session is None:
            return await self.finish(protocol.CLOSE_NOT_FOUND)
        if not session.is_active:
            return await self.finish(protocol.CLOSE_ENDED)
        self.terminal_id, self.cursor, self.loop = terminal_id, Cursor(), asyncio.get_running_loop()
        self.impatience = self.loop.call_later(HELLO_SECONDS, self._refuse_later, "no-hello")

    @database_sync_to_async
    def _find(self, session_id: str) -> LabSession | None:
        return LabSession.objects.filter(user=self.scope["user"], pk=session_id).first()

    async def finish(self, code: int) -> None:
        self.is_closing = True
        await self.close(code)

    async def disconnect(self, code: int) -> None:
        self.is_closing = True
        if self.impatience:
            self.impatience.cancel()
        if self.writer:
            self.writer.cancel()
        if self.viewer:
            await terminal_hub.current().leave(self.viewer)

    # --- page -> bridge -----------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        if self.is_closing:
            return
        try:
            kind, fields = self._judge(bytes_data)
        except protocol.ProtocolError as error:
            await self.refuse(error.reason)
            return
        if kind is Frame.HELLO:
            await self._greeted(fields)
        elif not self.is_watching:
            terminal_hub.current().publish(self.viewer, bytes_data)

    def _judge(self, frame: bytes | None) -> tuple[Frame, tuple[int, ...]]:
        if frame is None:
            raise protocol.ProtocolError("not-binary")
        if len(frame) > protocol.MAX_BROWSER_FRAME_BYTES:
            raise protocol.ProtocolError("too-large")
        kind, fields, _ = protocol.decode(frame)
        if kind not in protocol.FROM_PAGE:
            raise protocol.ProtocolError("wrong-way", kind.name)
        if kind is Frame.HELLO and fields[0] != protocol.VERSION:
            raise protocol.ProtocolError("version", str(fields[0]))
        if kind is not Frame.HELLO and self.viewer is None:
            raise protocol.ProtocolError("before-hello")
        return kind, fields

    async def refuse(self, reason: str) -> None:
        refused.labels(reason).inc()
        log.warning("bad frame reason=%s session_id=%s user=%s", reason, self.terminal_id, self.scope["user"].pk)
        await self.finish(protocol.CLOSE_FRAME_TOO_LARGE if reason == "too-large" else protocol.CLOSE_BAD_FRAME)

    def _refuse_later(self, reason: str) -> None:
        self.refusal = asyncio.ensure_future(self.refuse(reason))

    async def _greeted(self, hello: tuple[int, ...]) -> None:
        """A page greets once it is open, and again when it misses something."""
        self.impatience.cancel()
        self.hello = hello
        self.cursor.start_at(hello[3])
        if self.viewer:
            self._greet()
            return
        self.is_watching = self.is_watching or bool(hello[1] & protocol.READ_ONLY)
        self.viewer = terminal_hub.Viewer(self.terminal_id, self._viewer_id(hello[2]), self._deliver, self._greet)
        self.outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.outbox_bytes = 0
        self.writer = asyncio.ensure_future(self._write())
        await terminal_hub.current().join(self.viewer)

    def _viewer_id(self, client: int) -> int:
        """A page names itself at random; bound to its user, so that nobody can pass for another's page."""
        name = f"{self.scope['user'].pk}:{client}:{int(self.is_watching)}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")

    def _greet(self) -> None:
        """From where the page is by now; the hub calls this whenever the bridge has to know."""
        version, _, client, _, rows, cols = self.hello
        self.cursor.note_greeting(self.loop.time())
        flags = protocol.READ_ONLY if self.is_watching else 0
        terminal_hub.current().publish(self.viewer, protocol.encode(
            Frame.HELLO, version, flags, client, self.cursor.resume, rows, cols))

    # --- bridge -> page -----------------------------------------------------------------------------------

    def _deliver(self, kind: Frame, fields: tuple[int, ...], body: bytes) -> None:
        frame, lacks_something = self.cursor.take(kind, fields, body, self.loop.time())
        if lacks_something:
            self._greet()
        if frame is None or self.is_closing:
            return
        self.outbox_bytes += len(frame)
        self.outbox.put_nowait(frame)
        if self.outbox_bytes > MAX_OUTBOX_BYTES:
            log.warning("socket takes nothing session_id=%s bytes=%d", self.terminal_id, self.outbox_bytes)
            self.closing = asyncio.ensure_future(self.finish(protocol.CLOSE_BUSY))
            self.is_closing = True

    async def _write(self) -> None:
        """One writer, so that frames leave in the order in which they came."""
        while True:
            frame = await self.outbox.get()
            await self.send(bytes_data=frame)
            self.outbox_bytes -= len(frame)
