"""A stage for web previews: a worker's tunnel over a real Redis, programs on loopback ports, and a browser of
raw ASGI."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from labs.models import LabSession
from labs.previews import access, tunnel
from labsite.asgi import application
from runtime_agent.tunnel import TunnelProcess

HOST = "h1"
Program = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def wait_for(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)  # noqa: ASYNC110  (what is waited for has no event of its own)


class Loopback:
    """Opens ports of this machine as if they were a sandbox's. ``asked`` are the machines that were asked
    for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def open(self, name: bytes, port: int):
        self.asked.append(name.decode())
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK), ["127.0.0.1"]


class Stage:
    """Alice's ready session, whose preview 0 is a program of this process."""

    def __init__(self, redis_url: str, session: LabSession):
        self.redis_url, self.session = redis_url, session
        self.targets = Loopback()
        self.worker: TunnelProcess | None = None
        self.tasks: list[asyncio.Task] = []

    @property
    def address(self) -> access.Address:
        return access.Address(0, str(self.session.id))

    @property
    def host(self) -> str:
        return f"{self.address.label}.localhost:8000"

    async def start_worker(self) -> None:
        settings = SimpleNamespace(host=HOST, redis_url=self.redis_url)
        self.worker = TunnelProcess(settings, self.targets)
        self.tasks = [asyncio.ensure_future(self.worker.listener.run()), asyncio.ensure_future(self.worker.speaker.run())]
        import redis.asyncio as redis
        async with redis.Redis.from_url(self.redis_url) as bus:
            while not await bus.publish(f"tunnel:host:{HOST}", b"\x47" + bytes(16)):
                await asyncio.sleep(0.01)

    async def kill_worker(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.worker.listener.transport.abort()
        self.worker.speaker.transport.abort()
        for stream in list(self.worker.streams.values()):
            stream.task.cancel()

    @contextlib.asynccontextmanager
    async def program(self, serve: Program) -> AsyncIterator[int]:
        """``serve`` on a free port that the lab names as its preview."""
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await self.show(port)
        try:
            yield port
        finally:
            server.close()

    async def show(self, port: int) -> None:
        lab = {**self.session.lab, "previews": [{"title": "Web", "machine": "box", "port": port}]}
        await LabSession.objects.filter(pk=self.session.pk).aupdate(lab=lab, state="ready", host=HOST)
        access._remembered.clear()

    def cookie(self, user: Any = None) -> str:
        ticket = access.ticket_for(self.address, (user or self.session.user).pk)
        return f"bulkhead-preview={access.change_ticket(self.address, ticket)}"

    async def ask(self, path: str = "/", method: str = "GET", body: bytes = b"", host: str | None = None,
                  cookie: str | None = None, **headers: str) -> SimpleNamespace:
        """One request as a browser sends it; ``text`` and ``status`` of the answer, ``is_whole`` if it was
        finished."""
        fields = [(b"host", (host or self.host).encode())]
        if cookie is None or cookie:
            fields.append((b"cookie", (cookie or self.cookie()).encode()))
        fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        name, _, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": name, "raw_path": name.encode(), "query_string": query.encode(),
                 "headers": fields, "scheme": "http", "http_version": "1.1", "root_path": ""}
        inbox = self.inbox = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": body, "more_body": False})
        answer = SimpleNamespace(status=0, headers=[], body=b"", is_whole=False)

        async def send(message: dict) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], message["headers"]
            else:
                answer.body += message.get("body", b"")
                answer.is_whole = not message.get("more_body", False)
        async with asyncio.timeout(20):
            await application(scope, inbox.get, send)
        answer.text = answer.body.decode(errors="replace")
        answer.header = lambda name: [value.decode() for key, value in answer.headers if key.decode() == name]
        return answer


@contextlib.asynccontextmanager
async def stage(redis_url: str, session: LabSession) -> AsyncIterator[Stage]:
    made = Stage(redis_url, session)
    await made.start_worker()
    try:
        yield made
    finally:
        await made.kill_worker()
        tunnels = tunnel._tunnels.pop(asyncio.get_running_loop(), None)
        if tunnels:
            await tunnels.close()


def answering(answer: bytes, keep: list[bytes] | None = None) -> Program:
    """A program that reads a request's head and what Content-Length says, and answers with these bytes."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                       if line.startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
        if keep is not None:
            keep.append(head + body)
        writer.write(answer)
        await writer.drain()
        writer.close()
    return serve


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A program that listens and never answers."""
    await reader.read()
