"""The terminal against terminado: `sudo ./lab bench terminal [--json FILE]`.

Ours is the whole way: WebSocket, daphne, Redis twice, bridge, a shell in a real sandbox. The peer is terminado (the
terminal of Jupyter, from PyPI, in an environment of its own) with a bare shell on a PTY: no sandbox, no Redis, one
process. Both are driven by the same client on the same machine, alternately: echo of single keys at human distance,
a flood whose every byte is compared, Ctrl-C under a flood with a reader that parses 10 MB/s, and all that beside five
pages that never read. ttyd is not measured: Debian 12 has no package of it. Takes four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.cookiejar
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from websockets.asyncio.client import connect  # noqa: E402

from runtime_agent import protocol  # noqa: E402
from runtime_agent.protocol import terminal_codec  # noqa: E402
from runtime_agent.protocol.terminal_codec import Frame  # noqa: E402
from tests.bench.table import Row, percentile, report, spread  # noqa: E402
from tests.instance import free_port, running, wait_until  # noqa: E402

ECHOES, ROUNDS = 300, 3
STALLED = 5
SOCKET = {"max_size": None, "compression": None, "ping_interval": None}
"""No pings: behind a flood their answers come later than the client's library waits."""
FLOOD_LINES = 3_000_000
PARSE_BYTES_PER_SECOND = 10_000_000
LESSON = "/learn/virtualization-and-containers/containers/a-container-is-a-process/"
PEER_PACKAGE = "terminado==0.18.1"
PEER = """
import asyncio, sys
import tornado.web
from terminado import SingleTermManager, TermSocket
async def main():
    manager = SingleTermManager(shell_command=["bash", "--norc", "-i"])
    tornado.web.Application([(r"/socket", TermSocket, {"term_manager": manager})]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Ours:
    """A page: it greets, counts offsets and acknowledges what it has parsed."""

    name = "bulkhead"

    def __init__(self, url: str, headers: dict[str, str]):
        self.url, self.headers, self.sent, self.acked, self.seen = url, headers, 0, 0, 0

    async def open(self) -> None:
        self.socket = await connect(self.url, additional_headers=self.headers, **SOCKET)
        await self.socket.send(terminal_codec.encode(Frame.HELLO, protocol.VERSION, 0, int.from_bytes(os.urandom(8)),
                                                     terminal_codec.FROM_RING_START, 24, 80))
        while terminal_codec.decode(await self.socket.recv())[0] is not Frame.WELCOME:  # what comes before it is for others
            pass

    def another(self) -> Ours:
        """Another page of the same terminal."""
        return Ours(self.url, self.headers)

    async def type(self, keys: bytes) -> None:
        await self.socket.send(terminal_codec.encode(Frame.INPUT, self.sent, data=keys))
        self.sent += len(keys)

    async def read(self) -> bytes:
        while True:
            kind, fields, body = terminal_codec.decode(await self.socket.recv())
            if kind in (Frame.OUTPUT, Frame.REPLAY):
                self.seen = fields[0] + len(body)
                return body
            if kind is Frame.SKIPPED:
                raise AssertionError(f"bytes skipped: {fields}")

    async def parsed(self, is_idle: bool = False) -> None:
        if self.seen - self.acked >= terminal_codec.ACK_EVERY_BYTES or (is_idle and self.seen > self.acked):
            self.acked = self.seen
            await self.socket.send(terminal_codec.encode(Frame.ACK, self.seen))


class Peer:
    """terminado's JSON over a WebSocket; it knows no acknowledgement."""

    name = "terminado"

    def __init__(self, url: str):
        self.url = url

    async def open(self) -> None:
        self.socket = await connect(self.url, **SOCKET)

    def another(self) -> Peer:
        return Peer(self.url)

    async def type(self, keys: bytes) -> None:
        await self.socket.send(json.dumps(["stdin", keys.decode()]))

    async def read(self) -> bytes:
        while True:
            kind, *rest = json.loads(await self.socket.recv())
            if kind == "stdout":
                return rest[0].encode()

    async def parsed(self, is_idle: bool = False) -> None:
        return


async def until(terminal: Ours | Peer, mark: bytes, seconds: float = 60) -> bytes:
    """All output up to and with ``mark``."""
    found = bytearray()
    async with asyncio.timeout(seconds):
        while mark not in found[-len(mark) - 70000:]:
            found += await terminal.read()
            await terminal.parsed()
    await terminal.parsed(is_idle=True)
    return bytes(found)


async def settle(terminal: Ours | Peer) -> None:
    """A prompt that is ours: nothing of before comes later."""
    await terminal.type(b"stty -echo; PS1='$ '; printf 'settled-%d\\n' $((40+2)); stty echo\r")
    await until(terminal, b"settled-42")
    await asyncio.sleep(0.3)


async def echoes(terminal: Ours | Peer) -> list[float]:
    """Milliseconds from a key to its echo, keys 15 ms apart."""
    await terminal.type(b"cat\r")
    await asyncio.sleep(0.3)
    found = []
    for number in range(ECHOES):
        key = bytes([97 + number % 26])
        began = time.perf_counter()
        await terminal.type(key)
        await until(terminal, key, 10)
        found.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.015)
    await terminal.type(b"\x03")
    await asyncio.sleep(0.3)  # the kernel throws away what is typed together with an interrupt
    await settle(terminal)
    return found


async def flood(terminal: Ours | Peer) -> float:
    """MB/s of a file of 24 MB; its bytes must be those that seq wrote into it, with the PTY's line ends.

    Not seq itself: it writes each line by itself to a terminal, and the sandbox may use half a core, so that would
    measure the program.
    """
    await terminal.type(f"seq 1 {FLOOD_LINES} >/tmp/flood; printf 'made-%d\\n' $((6*7))\r".encode())
    await until(terminal, b"made-42", 120)
    await terminal.type(b"printf 'begin-%d\\n' $((6*7)); cat /tmp/flood; printf 'end-%d\\n' $((6*7))\r")
    began = time.perf_counter()
    text = await until(terminal, b"end-42\r\n", 300)
    seconds = time.perf_counter() - began
    body = text[text.index(BEGIN) + len(BEGIN):text.rindex(b"end-42")]
    if hashlib.sha256(body).digest() != EXPECTED:
        raise AssertionError(f"{terminal.name}: the flood is not what seq wrote ({len(body)} bytes)")
    return len(body) / seconds / 1e6


BEGIN = b"begin-42\r\n"
EXPECTED = hashlib.sha256("".join(f"{n}\r\n" for n in range(1, FLOOD_LINES + 1)).encode()).digest()


async def interrupt(terminal: Ours | Peer) -> float:
    """Milliseconds from Ctrl-C to the prompt behind it, read at the pace of a browser that parses 10 MB/s."""
    await terminal.type(b"yes 'a line of some length to fill the way'\r")
    deadline = time.perf_counter() + 2
    while time.perf_counter() < deadline:
        await _parse(terminal)
    began = time.perf_counter()
    await terminal.type(b"\x03")
    await terminal.type(b"printf 'back-%d\\n' $((6*7))\r")
    tail = b""
    async with asyncio.timeout(120):
        while b"back-42" not in tail:
            tail = (tail + await _parse(terminal))[-200_000:]
    took = (time.perf_counter() - began) * 1000
    await terminal.parsed(is_idle=True)
    return took


async def _parse(terminal: Ours | Peer) -> bytes:
    chunk = await terminal.read()
    await asyncio.sleep(len(chunk) / PARSE_BYTES_PER_SECOND)
    await terminal.parsed()
    return chunk


async def measure(ours: Ours, peer: Peer, pids: dict[str, list[int]], rounds: int) -> list[Row]:
    found: dict[str, dict[str, list[list[float]]]] = {}
    for terminal in (ours, peer):
        await terminal.open()
        await settle(terminal)
    for number in range(rounds):
        for terminal in random.sample((ours, peer), 2):
            for name, values in (await one_round(terminal)).items():
                found.setdefault(name, {}).setdefault(terminal.name, []).append(values)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    for terminal in (ours, peer):
        for name, value in (await with_stalled(terminal, pids[terminal.name])).items():
            found.setdefault(name, {})[terminal.name] = [value]
    return rows_of(found)


async def one_round(terminal: Ours | Peer) -> dict[str, list[float]]:
    keys = await echoes(terminal)
    speed = await flood(terminal)
    await settle(terminal)
    stop = await interrupt(terminal)
    await settle(terminal)
    return {"echo": keys, "flood": [speed], "interrupt": [stop]}


async def with_stalled(terminal: Ours | Peer, pids: list[int]) -> dict[str, list[float]]:
    """Further pages on the same terminal whose sockets nobody reads, during and after a flood."""
    stalled = [terminal.another() for _ in range(STALLED)]
    for page in stalled:
        await page.open()
    await terminal.type(b"x\x7f")  # the page in use is ours again
    await settle(terminal)
    before = memory_bytes(pids)
    await flood(terminal)
    grown = memory_bytes(pids) - before
    await settle(terminal)
    keys = await echoes(terminal)
    for page in stalled:
        page.socket.transport.abort()
    return {"stalled memory": [grown / STALLED / 2**20], "stalled echo": keys}


def memory_bytes(pids: list[int]) -> int:
    """What these processes keep of the machine's memory for themselves."""
    found = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found += sum(int(kib) for kib in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", text, re.MULTILINE)) * 1024
    return found


def rows_of(found: dict[str, dict[str, list[list[float]]]]) -> list[Row]:
    def row(metric: str, unit: str, name: str, of: Callable[[Sequence[float]], float], target: str = "", bound: str = "",
            ) -> Row:
        by_round = [[of(values) for values in found[name][terminal]] for terminal in ("bulkhead", "terminado")]
        ours, theirs = (of([value for values in found[name][terminal] for value in values])
                        for terminal in ("bulkhead", "terminado"))
        return Row(metric, unit, ours, theirs, "terminado", target, bound, spread(*by_round))

    def p99(values: Sequence[float]) -> float:
        return percentile(values, 0.99)

    return [row("key echo p50", "ms", "echo", statistics.median, "<= 1.0"),
            row("key echo p99", "ms", "echo", p99, "<= 1.5"),
            row("flood, every byte compared", "MB/s", "flood", statistics.median, ">= 3"),
            row("Ctrl-C under a flood", "ms", "interrupt", statistics.median, "<= 0.025", "<= 100"),
            row("memory per page that never reads", "MiB", "stalled memory", statistics.median, bound="<= 1"),
            row("key echo p50, five of these present", "ms", "stalled echo", statistics.median, "<= 1.0")]


# --- the two servers --------------------------------------------------------------------------------------


def open_session(site) -> Ours:
    """A signed-in student's first terminal."""
    site.manage("shell", "-c", "from django.contrib.auth import get_user_model as g; "
                               "g().objects.create_user('bench', password='correct horse battery')")
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def post(path: str, **fields: str) -> None:
        browser.open(site.url + path)
        token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        browser.open(urllib.request.Request(site.url + (path if "login" in path else path + "sessions/"), body,
                                            {"Referer": site.url, "Origin": site.url}))

    post("/accounts/login/", login="bench", password="correct horse battery")
    post(LESSON)

    def session_id() -> str | None:
        page = browser.open(site.url + LESSON).read().decode()
        found = re.search(r'data-session="([0-9a-f-]{36})"', page)
        return found[1] if found and 'data-state="ready"' in page else None

    identifier = wait_until(session_id, 60, "a ready session")
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
    return Ours(f"ws://127.0.0.1:{site.port}/ws/sessions/{identifier}/terminals/0/",
                {"Cookie": cookies, "Origin": site.url})


def start_peer(folder: Path) -> tuple[subprocess.Popen, Peer]:
    venv.create(folder / "peer", with_pip=True)
    python = folder / "peer" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", PEER_PACKAGE], check=True)
    port = free_port()
    child = subprocess.Popen([python, "-c", PEER, str(port)], start_new_session=True)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, 20, "terminado to answer")
    return child, Peer(f"ws://127.0.0.1:{port}/socket")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the rows here")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder, running(Path(folder) / "site") as site:
        child, peer = start_peer(Path(folder))
        try:
            pids = {Ours.name: [site.children[name].pid for name in ("web", "bridge", "redis")], Peer.name: [child.pid]}
            return report(asyncio.run(measure(open_session(site), peer, pids, options.rounds)), options.json)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


if __name__ == "__main__":
    sys.exit(main())
