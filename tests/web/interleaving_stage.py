"""A terminal from program to page in one process: a real PTY, bridge, Redis and consumer, and pages that keep count.

The program remembers what it printed and what it read, so a page can judge each byte in the moment in which it comes.
"""

from __future__ import annotations

import asyncio
import os
import random
from types import SimpleNamespace

from labs.consumers.terminal import TerminalConsumer
from runtime_agent import protocol
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.reasons import CLOSE_BAD_FRAME, CLOSE_FRAME_TOO_LARGE, CLOSE_NOT_FOUND, CLOSE_SIGNED_OUT
from runtime_agent.protocol.terminal_codec import Frame
from tests.agent.bus_stage import SESSION, Line

WELCOME_SECONDS = 0.3
FINAL = {CLOSE_BAD_FRAME, CLOSE_FRAME_TOO_LARGE, CLOSE_NOT_FOUND, CLOSE_SIGNED_OUT}


class Program:
    """Prints random bytes as fast as the terminal takes them, and reads at once what is typed."""

    def __init__(self, line: Line, seed: int):
        self.line, self.chance = line, random.Random(seed)  # noqa: S311
        self.text, self.written, self.typed = bytearray(), 0, bytearray()
        self.wrong: list[str] = []
        """What a page found wrong; an exception in a callback would reach nobody."""
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(line.slave, self._read)

    def prints(self, count: int) -> None:
        self.text += self.chance.randbytes(count)
        self.loop.add_writer(self.line.slave, self._write)

    def _read(self) -> None:
        self.typed += self.line.typed()

    def _write(self) -> None:
        try:
            self.written += os.write(self.line.slave, self.text[self.written:self.written + 65536])
        except BlockingIOError:
            return
        if self.written == len(self.text):
            self.loop.remove_writer(self.line.slave)

    def close(self) -> None:
        self.loop.remove_reader(self.line.slave)
        self.loop.remove_writer(self.line.slave)


class Page:
    """What static/src/js/terminal/connection.js is, on a socket that can be cut or take nothing."""

    def __init__(self, number: int, program: Program, is_watching: bool = False):
        self.number, self.program, self.is_watching = number, program, is_watching
        self.loop = asyncio.get_running_loop()
        self.at: int | None = None
        self.skipped = 0
        self.log, self.received, self.sent = bytearray(), 0, 0
        self.size = (24, 80)
        self.takes = asyncio.Event()
        self.takes.set()
        self.acks, self.has_left, self.socket = True, False, None

    # --- the socket ---------------------------------------------------------------------------------------

    def connect(self) -> None:
        self.is_open = self.is_welcome = False
        inbox: asyncio.Queue[dict] = asyncio.Queue()
        scope = {"type": "websocket", "user": SimpleNamespace(pk=1, is_authenticated=True),
                 "url_route": {"kwargs": {"session_id": SESSION, "number": 0}}}

        async def send(message: dict) -> None:
            await self.takes.wait()
            if inbox is self.socket:
                self._heard(message)
        self.socket = inbox
        inbox.put_nowait({"type": "websocket.connect"})
        self.serving = asyncio.ensure_future(TerminalConsumer.as_asgi()(scope, inbox.get, send))

    async def cut(self) -> None:
        """The line breaks; what is on its way is lost. The page connects again."""
        await self.leave()
        self.has_left = False
        self.connect()

    async def leave(self) -> None:
        self.has_left = True
        inbox, self.socket = self.socket, None
        inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self.takes.set()
        await asyncio.wait_for(self.serving, 20)

    def put(self, kind: Frame, *fields: int, data: bytes = b"") -> None:
        if self.socket is not None and self.is_open:
            frame = terminal_codec.encode(kind, *fields, data=data)
            self.socket.put_nowait({"type": "websocket.receive", "bytes": frame})

    def _heard(self, message: dict) -> None:
        if message["type"] == "websocket.accept":
            self.is_open = True
            self.greet()
        elif message["type"] == "websocket.close":
            if message["code"] in FINAL:
                self.program.wrong.append(f"page {self.number} was closed with {message['code']}")
                return
            self.reconnecting = asyncio.ensure_future(self.cut())
        else:
            self.take(*terminal_codec.decode(message["bytes"]))

    # --- the page -----------------------------------------------------------------------------------------

    def greet(self) -> None:
        resume = terminal_codec.FROM_RING_START if self.at is None else self.at
        self.put(Frame.HELLO, protocol.VERSION, int(self.is_watching), self.number, resume, *self.size)
        self.loop.call_later(WELCOME_SECONDS, self._greet_again, self.socket)

    def _greet_again(self, socket: object) -> None:
        if socket is self.socket and not self.is_welcome and not self.has_left:
            self.greet()

    def take(self, kind: Frame, fields: tuple[int, ...], body: bytes) -> None:
        if kind is Frame.WELCOME:
            self.at = fields[1] if self.at is None else self.at
            self.is_welcome = True
            self._received(fields[2])
            self.sent = self.received
            self.pump()
        elif kind is Frame.INPUT_ACK:
            self._received(fields[0])
        elif kind is Frame.SKIPPED and self.at is not None and fields[1] > self.at:
            self.skipped += fields[1] - self.at
            self.at = fields[1]
        elif kind in (Frame.OUTPUT, Frame.REPLAY) and self.at is not None:
            self._draw(fields[0], body)

    def _received(self, offset: int) -> None:
        if offset > len(self.log):
            self.program.wrong.append(f"page {self.number} is told of {offset} bytes received and typed {len(self.log)}")
        self.received = max(self.received, offset)

    def _draw(self, start: int, body: bytes) -> None:
        end = start + len(body)
        if end <= self.at:
            return
        if start > self.at:
            self.greet()
            return
        if body != self.program.text[start:end]:
            self.program.wrong.append(f"page {self.number} got other bytes between {start} and {end}")
        self.at = end
        if self.acks:
            self.put(Frame.ACK, end)

    def type(self, count: int) -> None:
        """Bytes whose high half names the page and whose low half counts."""
        self.log += bytes(self.number << 4 | (len(self.log) + n) % 16 for n in range(count))
        self.pump()

    def pump(self) -> None:
        if self.is_welcome and self.sent < len(self.log):
            self.put(Frame.INPUT, self.sent, data=bytes(self.log[self.sent:]))
            self.sent = len(self.log)

    def resize(self, rows: int, cols: int) -> None:
        self.size = (rows, cols)
        if self.is_welcome:
            self.put(Frame.RESIZE, rows, cols)

    def stall(self, how: str) -> None:
        """It parses nothing, or its socket takes nothing either."""
        self.acks = False
        if how == "socket":
            self.takes.clear()

    def go_on(self) -> None:
        self.acks = True
        self.takes.set()
        if self.is_welcome:
            self.put(Frame.ACK, self.at)
