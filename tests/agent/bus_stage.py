"""A stage for the bridge: a Redis of its own, PTYs that the test holds the other end of, and pages that keep count."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import pty
import subprocess
import time
import tty
from pathlib import Path
from types import SimpleNamespace

import redis.asyncio as redis

from runtime_agent import proc, protocol
from runtime_agent.bridge import Bridge
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame
from runtime_agent.terminal import Terminal

SESSION = "0b54b1a4-5a5c-4d8e-9d61-3f2a0c6f7a11"
TERMINAL = f"{SESSION}.0"
FLOOD = 100_000
"""The last number of a ``seq`` whose output is more than two rings."""


async def until(condition, seconds: float = 20.0, what: str = "condition"):
    """The first true value of ``condition()``, asked again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        await asyncio.sleep(0.01)
    raise TimeoutError(f"waited {seconds:.0f} s for {what}")


class Line:
    """One terminal: the test is the program behind it, ``conmon`` a process whose end is conmon's."""

    def __init__(self, root: Path, raw: bool = True):
        self.master, self.slave = pty.openpty()
        if raw:
            tty.setraw(self.slave)
        os.set_blocking(self.slave, False)
        self.conmon = subprocess.Popen(["/bin/sleep", "600"])
        self.exit_file = root / f"exit-{self.conmon.pid}" / "box"
        self.exit_file.parent.mkdir()
        self.programs: list[subprocess.Popen] = []
        self.terminal = Terminal(self.conmon.pid, proc.start_ticks(self.conmon.pid), 101, 0, "box", time.time(),
                                 str(self.exit_file.parent), "box")

    def seq(self, last: int) -> subprocess.Popen:
        """A program that prints as fast as it may; its output is ``printed(last)``."""
        slave = os.open(os.ttyname(self.slave), os.O_RDWR | os.O_NOCTTY)
        self.programs.append(subprocess.Popen(["/usr/bin/seq", "1", str(last)], stdout=slave))
        os.close(slave)
        return self.programs[-1]

    def typed(self) -> bytes:
        """What the program finds to read now."""
        found = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.slave, 65536):
                found += chunk
        return found

    def end(self, status: int | None = None) -> None:
        """The shell ends; conmon writes its status and goes."""
        if status is not None:
            self.exit_file.write_text(str(status))
        self.conmon.kill()
        self.conmon.wait()

    def close(self) -> None:
        for process in (*self.programs, self.conmon):
            process.kill()
            process.wait()
        os.close(self.master)
        os.close(self.slave)


def printed(last: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, last + 1))


class Stage:
    """Redis and a bridge; ``lines`` is what the agent's state files would say."""

    def __init__(self, root: Path):
        self.root, self.lines, self.all_lines, self.pages = root, {}, [], []
        self.socket = root / "redis.sock"
        self.settings = SimpleNamespace(state_dir=root / "state", run_dir=root / "run", host="here",
                                        redis_url=f"unix://{self.socket}?db=0")

    async def start(self) -> None:
        await self.start_redis()
        await self.start_bridge()

    async def start_redis(self) -> None:
        self.server = subprocess.Popen(
            ["/usr/bin/redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir",
             str(self.root)], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(unix_socket_path=str(self.socket))
        await until(self.socket.exists, what="the socket of Redis")

    def kill_redis(self) -> None:
        self.server.kill()
        self.server.wait()
        self.socket.unlink(missing_ok=True)

    async def start_bridge(self) -> None:
        def find(settings, terminal_id):
            line = self.lines.get(terminal_id)
            return line and line.terminal

        def adopt(terminal):
            line = next(line for line in self.all_lines if line.terminal == terminal)
            os.set_blocking(line.master, False)
            return os.dup(line.master)
        def recorded(settings):
            return [(terminal_id, line.terminal) for terminal_id, line in self.lines.items()]
        self.bridge = Bridge(self.settings, find=find, adopt=adopt, recorded=recorded)
        self.running = asyncio.create_task(self.bridge.run())
        await until(lambda: self.bridge.listener.transport and self.bridge.speaker.transport, what="the bridge")
        await self.listening()

    async def listening(self) -> None:
        """The bridge hears its input channels."""
        deadline = time.monotonic() + 10
        while await self.client.pubsub_numpat() == 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    async def stop_bridge(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running
        for channel in self.bridge.channels.values():
            asyncio.get_running_loop().remove_reader(channel.master)
            asyncio.get_running_loop().remove_writer(channel.master)
            os.close(channel.master)
            if channel.recorder and channel.recorder.timer:
                channel.recorder.timer.cancel()
        for connection in (self.bridge.listener, self.bridge.speaker):
            connection.close()
        self.bridge.marks.close()
        self.bridge.known.clear()  # news of ends that come later are for nobody

    def line(self, terminal_id: str = TERMINAL, **options) -> Line:
        self.lines[terminal_id] = Line(self.root, **options)
        self.all_lines.append(self.lines[terminal_id])
        return self.lines[terminal_id]

    async def page(self, viewer: int = 1, **options) -> Page:
        page = Page(self, viewer, **options)
        self.pages.append(page)
        page.listening = asyncio.create_task(page.listen())
        await until(lambda: page.is_subscribed, what="the page's subscription")
        return page

    def channel(self, terminal_id: str = TERMINAL):
        return self.bridge.channels.get(terminal_id)

    async def close(self) -> None:
        for page in self.pages:
            await page.leave()
        await self.stop_bridge()
        await self.client.aclose()
        self.kill_redis()
        for line in self.all_lines:
            line.close()


async def held(stage):
    await until(lambda: stage.channel().held_since is not None and not stage.channel().reading, what="the hold")


class Page:
    """A viewer as the page is one: drops what it has, asks for what it lacks, greets when told to.

    ``acks_to`` is the byte past which it acknowledges no more.
    """

    def __init__(self, stage: Stage, viewer: int, *, resume: int = terminal_codec.FROM_RING_START, read_only: bool = False,
                 acks_to: float = math.inf, terminal_id: str = TERMINAL):
        self.stage, self.viewer, self.terminal_id = stage, viewer, terminal_id
        self.read_only, self.acks_to = read_only, acks_to
        self.at = None if resume == terminal_codec.FROM_RING_START else resume
        self.seen, self.frames, self.gaps, self.sent = bytearray(), [], 0, 0
        self.has_greeted = self.is_subscribed = False
        self.told: list[bytes] = []

    async def listen(self) -> None:
        while True:
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(contextlib.suppress(redis.ConnectionError))
                pubsub = await stack.enter_async_context(self.stage.client.pubsub())
                await pubsub.subscribe(protocol.output_channel(self.terminal_id), protocol.BRIDGE_HELLO_CHANNEL)
                async for message in pubsub.listen():
                    if message["type"] == "subscribe" and message["channel"] == protocol.BRIDGE_HELLO_CHANNEL.encode():
                        self.is_subscribed = True
                        await self.greet_again()
                    elif message["type"] == "message":
                        await self.hear(message)
            await asyncio.sleep(0.02)

    async def hear(self, message) -> None:
        if message["channel"] == protocol.BRIDGE_HELLO_CHANNEL.encode():
            self.told.append(message["data"])
            await self.greet_again()
            return
        viewer, frame = terminal_codec.unaddress(message["data"])
        if viewer not in (None, self.viewer):
            return
        kind, fields, body = terminal_codec.decode(frame)
        self.frames.append((kind, fields, body))
        if kind is Frame.WELCOME and self.at is None:
            self.at = fields[1]
        elif kind is Frame.SKIPPED:
            self.at = max(self.at, fields[1])
        elif kind in (Frame.OUTPUT, Frame.REPLAY) and self.at is not None:
            await self.draw(fields[0], body)

    async def draw(self, start: int, body: bytes) -> None:
        if start > self.at:
            self.gaps += 1
            await self.greet_again()
        elif start + len(body) > self.at:
            self.seen += body[self.at - start:]
            self.at = start + len(body)
            if self.at <= self.acks_to:
                await self.put(Frame.ACK, self.at)

    async def put(self, kind: Frame, *fields: int, data: bytes = b"") -> None:
        await self.raw(terminal_codec.address(self.viewer, terminal_codec.encode(kind, *fields, data=data)))

    async def raw(self, bus_frame: bytes) -> None:
        with contextlib.suppress(redis.ConnectionError):
            await self.stage.client.publish(protocol.input_channel(self.terminal_id), bus_frame)

    async def greet(self, rows: int = 24, cols: int = 80, version: int = protocol.VERSION) -> None:
        self.has_greeted = True
        await self.put(Frame.HELLO, version, int(self.read_only), self.viewer,
                       terminal_codec.FROM_RING_START if self.at is None else self.at, rows, cols)

    async def greet_again(self) -> None:
        if self.has_greeted:
            await self.greet()

    async def welcome(self, **options) -> tuple[int, ...]:
        """Greet and wait for the answer: (head, first, input received, epoch)."""
        before = len(self.of(Frame.WELCOME))
        await self.greet(**options)
        await until(lambda: len(self.of(Frame.WELCOME)) > before, what="a WELCOME")
        return self.of(Frame.WELCOME)[-1]

    async def type(self, text: bytes) -> None:
        await self.put(Frame.INPUT, self.sent, data=text)
        self.sent += len(text)

    def of(self, kind: Frame) -> list[tuple[int, ...]]:
        return [fields for found, fields, _ in self.frames if found is kind]

    def received(self) -> int:
        """How much of our input the bridge has acknowledged."""
        return max((fields[0] for fields in self.of(Frame.INPUT_ACK)), default=0)

    async def shows(self, text: bytes, seconds: float = 20.0) -> None:
        try:
            await until(lambda: bytes(self.seen) == text, seconds)
        except TimeoutError:
            raise AssertionError(f"{len(self.seen)} of {len(text)} bytes, ends {bytes(self.seen[-80:])!r}") from None

    async def leave(self) -> None:
        """Gone without a word, as when a site is killed."""
        self.listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.listening
