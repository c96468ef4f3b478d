"""The preview's ASGI application: it answers on preview hosts only, and has no middleware, session or cookie
of the site.

Daphne hands over a request when its body is there, and takes an answer without holding back; so both are
bounded. An answer that ends too early is never finished: finishing would pass the rest of the connection off
as its body.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

from labs.previews import access, headers, pages, sockets, tunnel
from labs.previews.access import ENTER_PATH, Address, Target
from labs.previews.http1 import Answer, BadAnswer, request
from labs.previews.stream import Closed, Stream
from runtime_agent.protocol.tunnel_codec import TunnelEnd

MAX_BYTES = 32 << 20
HEAD_SECONDS = 60.0


class Hosts:
    """Sends what is addressed to a preview's host name to its preview, and everything else to the site."""

    def __init__(self, site: Any):
        self.site = site

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        host = next((value.decode("latin-1") for name, value in scope.get("headers", []) if name == b"host"), "")
        if scope["type"] not in ("http", "websocket") or not access.is_preview_host(host):
            await self.site(scope, receive, send)
            return
        address = access.address_of(host)
        serve = http if scope["type"] == "http" else sockets.serve
        await serve(scope, receive, send, address, host, scheme_of(scope))


def scheme_of(scope: dict) -> str:
    """As the browser sees it; behind a proxy that is for settings to say, not for a header."""
    from django.conf import settings
    return "https" if settings.IS_HTTPS else "http"


async def http(scope: dict, receive: Any, send: Any, address: Address | None, host: str, scheme: str) -> None:
    if address and scope["path"] == ENTER_PATH:
        await enter(scope, send, address, scheme)
        return
    cookies = [value for name, value in scope["headers"] if name == b"cookie"]
    target = await access.find(address, scheme, cookies) if address else None
    if target is None:
        await say(send, 404, pages.not_found())
        return
    exchange = Exchange(scope, receive, send, target, host, scheme)
    await exchange.run()


async def enter(scope: dict, send: Any, address: Address, scheme: str) -> None:
    """Change the ticket for the cookie, and forget its address at once."""
    ticket = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
    value = access.change_ticket(address, ticket)
    if value is None:
        await say(send, 404, pages.not_found())
        return
    cookie = f"{access.cookie_name(scheme)}={value}; Path=/; HttpOnly; Max-Age={access.COOKIE_SECONDS}"
    await say(send, 303, b"", [(b"location", b"/"), (b"set-cookie", (cookie + access.cookie_ending(scheme)).encode()),
                               (b"referrer-policy", b"no-referrer")])


async def say(send: Any, status: int, body: bytes, more: headers.Headers | None = None) -> None:
    await send({"type": "http.response.start", "status": status,
                "headers": [*pages.HEADERS, *(more or []), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class TooLarge(Exception):
    """A body is larger than MAX_BYTES."""


class Exchange:
    """One request to the machine, and its answer."""

    def __init__(self, scope: dict, receive: Any, send: Any, target: Target, host: str, scheme: str):
        self.scope, self.receive, self.send, self.target = scope, receive, send, target
        self.host, self.scheme, self.cookie = host, scheme, access.cookie_name(scheme)
        self.has_started = False

    async def run(self) -> None:
        try:
            await self._run()
        except Closed as closed:
            await self._fail(*pages.failure(closed.end, self.target))
        except TimeoutError:
            await self._fail(*pages.failure(TunnelEnd.TOO_SLOW, self.target))
        except TooLarge:
            await self._fail(413, pages.too_large(MAX_BYTES >> 20))
        except (BadAnswer, ValueError) as error:
            await self._fail(502, pages.bad_answer(self.target, str(error)))

    async def _fail(self, status: int, page: bytes) -> None:
        if not self.has_started:
            await say(self.send, status, page)

    async def _run(self) -> None:
        body = await self._request_body()
        if body is None:
            return
        target = self.target
        stream = await tunnel.current().open(target.host, target.session_id, target.machine, target.port)
        gone = asyncio.ensure_future(self._wait_until_gone())
        talk = asyncio.ensure_future(self._talk(stream, body))
        try:
            await asyncio.wait([talk, gone], return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                talk.result()
        finally:
            for task in (talk, gone):
                task.cancel()
            await asyncio.gather(talk, gone, return_exceptions=True)
            await stream.close()

    async def _request_body(self) -> bytes | None:
        """Daphne has it whole already. None if the browser has gone meanwhile."""
        pieces: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return None
            pieces.append(message.get("body", b""))
            if sum(map(len, pieces)) > MAX_BYTES:
                raise TooLarge
            if not message.get("more_body"):
                return b"".join(pieces)

    async def _wait_until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _talk(self, stream: Stream, body: bytes) -> None:
        sending = asyncio.ensure_future(stream.write(self._head(body) + body))
        try:
            answer = Answer(stream.read, self.scope["method"])
            async with asyncio.timeout(HEAD_SECONDS):
                await answer.head()
            await self._pass_on(answer)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Closed):
                await sending

    def _head(self, body: bytes) -> bytes:
        scope = self.scope
        target = scope.get("raw_path") or scope["path"].encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        fields = headers.to_machine(scope["headers"], self.host, self.scheme, self.target.port, self.cookie)
        fields.append((b"connection", b"close"))
        if body or scope["method"] in ("POST", "PUT", "PATCH"):
            fields.append((b"content-length", b"%d" % len(body)))
        return request(scope["method"], target, fields)

    async def _pass_on(self, answer: Answer) -> None:
        length = answer.length()
        if (length or 0) > MAX_BYTES:
            raise TooLarge
        fields = headers.from_machine(answer.headers, self.target.port, self.cookie, access.cookie_ending(self.scheme))
        if length is not None and answer.status not in (204, 304):
            fields.append((b"content-length", b"%d" % length))
        self.has_started = True
        await self.send({"type": "http.response.start", "status": answer.status, "headers": fields})
        async for piece in bounded(answer.body()):
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})


async def bounded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Raises TooLarge once more than MAX_BYTES have come."""
    total = 0
    async for piece in pieces:
        total += len(piece)
        if total > MAX_BYTES:
            raise TooLarge
        yield piece
