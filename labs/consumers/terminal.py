"""One viewer of one terminal: raw frames between a page and the bus.

The session is found through the user, so a stranger's id is an id that does not exist. What comes from a page is
checked by protocol.decode before anything is done with it; one bad frame closes the socket, is logged and counted.
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
from runtime_agent import protocol
from runtime_agent.protocol import Frame

HELLO_SECONDS = 10.0
ENDED = ("ending", "ended", "failed")
log = logging.getLogger(__name__)
refused = Counter("bulkhead_terminal_frames_refused_total", "Frames from pages that broke the protocol", ["reason"])


class TerminalConsumer(AsyncWebsocketConsumer):
    """Frames are handled in the order in which they come, so keystrokes can't change places."""

    viewer: terminal_hub.Viewer | None = None
    hello: tuple[int, ...] = ()
    expected = protocol.FROM_RING_START

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a close code reaches the page only on an open socket
        if not self.scope["user"].is_authenticated:
            return await self.close(protocol.CLOSE_SIGNED_OUT)
        arguments = self.scope["url_route"]["kwargs"]
        session = await self._find(arguments["session_id"])
        if session is None or arguments["number"] >= protocol.MAX_TERMINALS:
            return await self.close(protocol.CLOSE_NOT_FOUND)
        if session.state in ENDED:
            return await self.close(protocol.CLOSE_ENDED)
        self.terminal_id = protocol.terminal_id(str(session.id), arguments["number"])
        self.impatience = asyncio.get_running_loop().call_later(HELLO_SECONDS, self._grow_impatient)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        try:
            kind, fields, frame = self._judge(text_data, bytes_data)
        except protocol.ProtocolError as error:
            return await self._refuse(error.reason)
        if kind is Frame.HELLO:
            await self._greet(fields, frame)
        elif self.viewer is None:
            await self._refuse("before-hello")
        else:
            terminal_hub.current().publish(self.viewer, frame)

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "impatience"):
            self.impatience.cancel()
        if self.viewer:
            await terminal_hub.current().leave(self.viewer)
            self.viewer = None
            self.writer.cancel()

    def _judge(self, text: str | None, frame: bytes | None) -> tuple[Frame, tuple[int, ...], bytes]:
        if frame is None or not hasattr(self, "terminal_id"):
            raise protocol.ProtocolError("not-binary" if frame is None else "before-hello")
        if len(frame) > protocol.MAX_BROWSER_FRAME_BYTES:
            raise protocol.ProtocolError("too-large")
        kind, fields, _ = protocol.decode(frame)
        if kind not in protocol.FROM_PAGE:
            raise protocol.ProtocolError("wrong-way", kind.name)
        return kind, fields, frame

    async def _refuse(self, reason: str) -> None:
        refused.labels(reason).inc()
        log.warning("bad frame reason=%s session_id=%s", reason, getattr(self, "terminal_id", "none"))
        await self.close(protocol.CLOSE_FRAME_TOO_LARGE if reason == "too-large" else protocol.CLOSE_BAD_FRAME)

    async def _greet(self, fields: tuple[int, ...], frame: bytes) -> None:
        """A page greets once it is open, and again when it misses something."""
        self.impatience.cancel()
        self.hello, self.expected = fields, fields[3]
        hub = terminal_hub.current()
        if self.viewer is None:
            self.viewer = terminal_hub.Viewer(self.terminal_id, self._viewer_id(fields[2]), self._deliver,
                                              self._greet_again)
            self.outbox: asyncio.Queue[bytes] = asyncio.Queue()
            self.writer = asyncio.ensure_future(self._write())
            await hub.join(self.viewer)
        hub.publish(self.viewer, frame)

    def _viewer_id(self, client: int) -> int:
        """A page names itself at random; bound to its user, so that nobody can pass for another's page."""
        name = f"{self.scope['user'].pk}:{client}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")

    def _greet_again(self) -> None:
        """On the page's behalf, from where the page is by now: the bridge or Redis has been away."""
        version, flags, client, _, rows, cols = self.hello
        terminal_hub.current().publish(
            self.viewer, protocol.encode(Frame.HELLO, version, flags, client, self.expected, rows, cols))

    def _deliver(self, frame: bytes) -> None:
        kind, fields, body = protocol.decode(frame)
        if kind in (Frame.OUTPUT, Frame.REPLAY) and fields[0] <= self.expected:
            self.expected = max(fields[0] + len(body), 0 if self.expected == protocol.FROM_RING_START else self.expected)
        elif kind is Frame.SKIPPED:
            self.expected = fields[1]
        self.outbox.put_nowait(frame)

    async def _write(self) -> None:
        """One writer, so that frames leave in the order in which they came; credit bounds what waits here."""
        while True:
            await self.send(bytes_data=await self.outbox.get())

    def _grow_impatient(self) -> None:
        asyncio.ensure_future(self._refuse("no-hello"))

    @database_sync_to_async
    def _find(self, session_id: object) -> LabSession | None:
        return LabSession.objects.filter(user=self.scope["user"], pk=session_id).first()
