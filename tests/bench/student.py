"""One browser of a bench: it clicks Start on a lesson's page and does what the page's scripts do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import time
import urllib.parse
from collections import Counter

from websockets.asyncio.client import connect

from runtime_agent import protocol
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame
from tests.instance import Instance

LESSON = "/learn/virtualization-and-containers/containers/a-container-is-a-process/"
KEY_SECONDS = (0.12, 0.35)
PROMPT = b"\x1b]133;B"
SOCKET = {"max_size": None, "compression": None, "ping_interval": None, "open_timeout": 60}
SIGN_IN = """
import json, sys
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.db import connection
Store = import_module(settings.SESSION_ENGINE).SessionStore
keys = []
for number in range(int({count})):
    user = get_user_model().objects.create_user(f"student{{number}}")
    store = Store()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store.save()
    keys.append(store.session_key)
print("KEYS", json.dumps([connection.vendor, keys]))
"""


def sign_in(site: Instance, count: int) -> tuple[str, list[str]]:
    """(what the site says its database is, the keys of the web sessions of new students)"""
    printed = site.manage("shell", "-c", SIGN_IN.format(count=count))
    vendor, keys = json.loads(printed.partition("KEYS ")[2])
    return vendor, keys


class Student:
    """One browser: its cookies, its sockets, and what it waited for."""

    def __init__(self, site: Instance, key: str, errors: Counter[str]):
        self.site, self.errors, self.token = site, errors, os.urandom(16).hex()
        self.cookies = f"sessionid={key}; csrftoken={self.token}"
        self.echoes: list[float] = []
        self.prompt_seconds: float | None = None
        self.seen, self.acked, self.sent = b"", 0, 0
        self.arrived = asyncio.Event()

    async def start(self) -> None:
        """From the click to the first prompt, and to the last thing that the page does then."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(120):
                page = await self.click()
                self.session_id = re.search(r'data-session="([0-9a-f-]{36})"', page)[1]
                following = asyncio.create_task(self.follow(page))
                await self.open_terminal()
                await self.until(PROMPT)
                self.prompt_seconds = time.perf_counter() - began
                await following
        except Exception as error:  # noqa: BLE001  (whatever it is, it is counted and the bench is red)
            self.errors[f"start: {error!r}"[:120]] += 1

    async def click(self) -> str:
        """POST as the page's script does, which is answered with the sandbox's part of the page."""
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": self.token})
        status, page = await self.http("POST", LESSON + "sessions/", body)
        if status != 200:
            raise RuntimeError(f"the click was answered with {status}")
        return page

    async def leave(self) -> None:
        """Throw the sandbox away and close the page."""
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": self.token, "files": "throw-away"})
        await self.http("POST", f"/sessions/{self.session_id}/end/", body)
        for task in (self.reading, self.reading_notices):
            task.cancel()
        await asyncio.gather(self.terminal.close(), self.notices.close())

    async def fetch(self, path: str = LESSON) -> str:
        status, page = await self.http("GET", path)
        if status != 200:
            raise RuntimeError(f"the lesson was answered with {status}")
        return page

    async def http(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.port)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.site.port}\r\nConnection: close\r\n"
                     f"X-Requested-With: fetch\r\nCookie: {self.cookies}\r\nOrigin: {self.site.url}\r\nReferer: {self.site.url}/\r\n"
                     f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split(b" ", 2)[1]), answer.decode(errors="replace")

    async def open(self, path: str):
        return await connect(f"ws://127.0.0.1:{self.site.port}{path}", **SOCKET,
                             additional_headers={"Cookie": self.cookies, "Origin": self.site.url})

    async def follow(self, page: str) -> None:
        """Until the page shows a sandbox that is ready. The terminal does not wait for that."""
        stand = await self.wait_ready()
        if f'data-stand="{stand}"' not in page:
            await self.fetch(LESSON + "?part=sandbox")

    async def wait_ready(self) -> str:
        self.notices = await self.open(f"/ws/sessions/{self.session_id}/")
        while True:
            notice = json.loads(await self.notices.recv())
            if notice.get("state") in ("failed", "ended"):
                raise RuntimeError(f"the session {notice['state']}: {notice['reason']}")
            if notice.get("state") == "ready":
                self.reading_notices = asyncio.create_task(self.listen())
                return notice["stand"]

    async def open_terminal(self) -> None:
        """At once, as the page does; the terminal may come later."""
        self.terminal = await self.open(f"/ws/sessions/{self.session_id}/terminals/0/")
        self.reading = asyncio.create_task(self.read())
        await self.terminal.send(terminal_codec.encode(Frame.HELLO, protocol.VERSION, 0, random.getrandbits(63),
                                                       terminal_codec.FROM_RING_START, 24, 80))

    async def listen(self) -> None:
        with contextlib.suppress(Exception):
            async for _ in self.notices:
                pass

    async def read(self) -> None:
        try:
            async for frame in self.terminal:
                kind, fields, body = terminal_codec.decode(frame)
                if kind in (Frame.OUTPUT, Frame.REPLAY):
                    self.seen = (self.seen + body)[-4000:]
                    self.arrived.set()
                    await self.terminal.send(terminal_codec.encode(Frame.ACK, fields[0] + len(body)))
                elif kind is Frame.SKIPPED:
                    self.errors["bytes skipped"] += 1
        except Exception as error:  # noqa: BLE001  (as above)
            self.errors[f"terminal: {error!r}"[:120]] += 1

    async def until(self, text: bytes) -> None:
        while text not in self.seen:
            self.arrived.clear()
            await self.arrived.wait()

    async def type_lines(self, until: float) -> None:
        """Keys of a line one by one, each awaited on the screen, then Return and the next prompt."""
        await asyncio.sleep(random.uniform(0, 1))  # noqa: S311  (a student's pace is no secret)
        try:
            while time.perf_counter() < until:
                async with asyncio.timeout(30):
                    await self.one_line(random.choice(["ls /", "ps", "hostname", "cat /etc/hostname"]))  # noqa: S311  (nor is this)
        except Exception as error:  # noqa: BLE001  (as above)
            self.errors[f"typing: {error!r}"[:120]] += 1

    async def one_line(self, line: str) -> None:
        for key in line:
            await asyncio.sleep(random.uniform(*KEY_SECONDS))  # noqa: S311  (nor is this)
            self.seen = b""
            began = time.perf_counter()
            await self.key(key.encode())
            await self.until(key.encode())
            self.echoes.append((time.perf_counter() - began) * 1000)
        self.seen = b""
        await self.key(b"\r")
        await self.until(PROMPT)

    async def key(self, key: bytes) -> None:
        await self.terminal.send(terminal_codec.encode(Frame.INPUT, self.sent, data=key))
        self.sent += len(key)
