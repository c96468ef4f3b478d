"""A connection to Redis for pub/sub: the bridge and the site's terminal hub have two each, to listen and to publish.

Written over hiredis' reader with asyncio's callbacks, because redis-py's asyncio layer costs a task and two loop turns
for each key. Whatever can't be sent is dropped: the rings hold it, and viewers greet again. The site imports this, so it
knows nothing of the agent.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

import hiredis

RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
MAX_UNSENT_BYTES = 512 * 1024
KEEP_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 15000}
"""A Redis whose host lost its power sends no word of its end (tcp(7); the last one in milliseconds)."""
CONNECT_SECONDS = 5.0
UNKNOWN_HERE = ("NOAUTH", "WRONGPASS")
log = logging.getLogger(__name__)


def pack(*words: bytes) -> bytes:
    """One command in RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/ ."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _keep_alive(connected: socket.socket) -> None:
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE.items():
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def tls_context(query: str) -> ssl.SSLContext:
    """What redis-py makes of the same words of a rediss:// URL: the site's authority, and our certificate for it."""
    words = {name: values[0] for name, values in parse_qs(query).items()}
    context = ssl.create_default_context(cafile=words.get("ssl_ca_certs"))
    if "ssl_certfile" in words:
        context.load_cert_chain(words["ssl_certfile"], words.get("ssl_keyfile"))
    return context


class Refused(Exception):
    """Redis does not know us: it lost its users, which the site will give back, or we were shut out."""


class Connection(asyncio.Protocol):
    """A connection that stays: it comes back by itself and calls ``on_up`` each time."""

    def __init__(self, url: str, on_up: Callable[[Connection], None], on_reply: Callable[[Any], None],
                 on_flow: Callable[[], None] = lambda: None):
        self.url, self.on_up, self.on_reply, self.on_flow = urlparse(url), on_up, on_reply, on_flow
        self.transport: asyncio.Transport | None = None
        self.is_clogged = False
        self._lost = asyncio.Event()
        self._refusal: Refused | None = None

    async def run(self) -> None:
        """Connect, and connect again whenever it is lost, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._connect()
                await self._lost.wait()
                if self._refusal:
                    raise self._refusal
            except (OSError, Refused) as error:
                wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                attempt += 1
                log.info("redis is away, again in %.2f s: %s", wait, error)
                await asyncio.sleep(wait)
                continue
            attempt = 0

    async def _connect(self) -> None:
        self._lost.clear()
        self._refusal = None
        loop = asyncio.get_running_loop()
        if self.url.scheme == "unix":
            await loop.create_unix_connection(lambda: self, self.url.path)
        else:
            secure = tls_context(self.url.query) if self.url.scheme == "rediss" else None
            await asyncio.wait_for(loop.create_connection(lambda: self, self.url.hostname, self.url.port or 6379,
                                                          ssl=secure), CONNECT_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.reader, self.is_clogged = transport, hiredis.Reader(), False
        transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        _keep_alive(transport.get_extra_info("socket"))
        if self.url.password:
            user = [unquote(self.url.username).encode()] if self.url.username else []
            self.send(b"AUTH", *user, unquote(self.url.password).encode())
        database = parse_qs(self.url.query).get("db", [self.url.path.strip("/") if self.url.scheme != "unix" else "0"])[0]
        if database not in ("", "0"):
            self.send(b"SELECT", database.encode())
        self.on_up(self)

    @property
    def is_up(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def send(self, *words: bytes) -> bool:
        """Send a command; False (and nothing sent) while there is no connection."""
        if not self.is_up:
            return False
        self.transport.write(pack(*words))
        return True

    def close(self) -> None:
        """Send what is buffered and close; ``run`` connects again unless it has been cancelled."""
        if self.transport:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (reply := self.reader.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError) and str(reply).startswith(UNKNOWN_HERE):
                self._refusal = Refused(str(reply))
                self.close()  # it would stay open, and whatever is said on it in vain
                return
            self.on_reply(reply)

    def pause_writing(self) -> None:
        self.is_clogged = True

    def resume_writing(self) -> None:
        self.is_clogged = False
        self.on_flow()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport, self.is_clogged = None, False
        self._lost.set()
        self.on_flow()
