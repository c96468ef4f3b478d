"""A bridge that lives in the test: it answers on the bus as the real one does, and may lose what it prints."""

import asyncio
import contextlib
import time

import redis.asyncio as redis
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from labs.routing import websocket_urlpatterns
from runtime_agent import protocol
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame


async def until(condition, what="condition", seconds=10):
    """The first true value of ``condition()``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited for {what}"
        await asyncio.sleep(0.005)
    return value


class Bridge:
    """``heard`` holds (viewer, kind, fields, bytes) of every frame of pages; ``text`` is all that was printed."""

    def __init__(self, url, terminal_id):
        self.client, self.terminal_id = redis.Redis.from_url(url), terminal_id
        self.heard, self.text, self.epoch, self.answers = [], b"", 1, True

    async def start(self):
        self.pubsub = self.client.pubsub()
        await self.pubsub.psubscribe(protocol.INPUT_PATTERN)
        await self.pubsub.get_message(timeout=5)
        self.task = asyncio.ensure_future(self._listen())

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        with contextlib.suppress(redis.RedisError):
            await self.pubsub.aclose()
        await self.client.aclose()

    async def _listen(self):
        async for message in self.pubsub.listen():
            if message["type"] != "pmessage":
                continue
            viewer, frame = terminal_codec.unaddress(message["data"])
            kind, fields, body = terminal_codec.decode(frame)
            self.heard.append((viewer, kind, fields, body))
            if kind is Frame.HELLO and self.answers:
                await self.welcome(viewer, fields[3])

    async def welcome(self, viewer, resume):
        first = 0 if resume == terminal_codec.FROM_RING_START else min(resume, len(self.text))
        await self.tell(viewer, terminal_codec.encode(Frame.WELCOME, len(self.text), first, 0, self.epoch))
        if first < len(self.text):
            await self.tell(viewer, terminal_codec.encode(Frame.REPLAY, first, data=self.text[first:]))

    async def tell(self, viewer, frame):
        await self.client.publish(protocol.output_channel(self.terminal_id), terminal_codec.address(viewer, frame))

    async def prints(self, text, is_lost=False):
        frame = terminal_codec.encode(Frame.OUTPUT, len(self.text), data=text)
        self.text += text
        if not is_lost:
            await self.client.publish(protocol.output_channel(self.terminal_id), frame)

    def of(self, kind):
        return [(viewer, fields, body) for viewer, found, fields, body in self.heard if found is kind]


class Page:
    """One socket of one page; ``frames`` are those it got."""

    def __init__(self, user, path):
        self.socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)
        self.socket.scope["user"] = user

    async def open(self):
        connected, _ = await self.socket.connect()
        assert connected, "refusals come as close codes, on an open socket"
        return self

    async def hello(self, resume=terminal_codec.FROM_RING_START, client=7, flags=0):
        await self.put(terminal_codec.encode(Frame.HELLO, protocol.VERSION, flags, client, resume, 24, 80))

    async def put(self, frame):
        await self.socket.send_input({"type": "websocket.receive", "bytes": frame})

    async def next(self):
        message = await self.socket.receive_output(timeout=10)
        assert message["type"] == "websocket.send", message
        return terminal_codec.decode(message["bytes"])

    async def text(self, length):
        """The next ``length`` bytes printed; asserts that none is missing or doubled."""
        found, at = b"", None
        while len(found) < length:
            kind, fields, body = await self.next()
            if kind in (Frame.OUTPUT, Frame.REPLAY):
                assert at in (None, fields[0])
                at, found = fields[0] + len(body), found + body
        return found

    async def close_code(self):
        while (message := await self.socket.receive_output(timeout=15))["type"] != "websocket.close":
            pass
        return message["code"]

    async def leave(self):
        await self.socket.disconnect()
