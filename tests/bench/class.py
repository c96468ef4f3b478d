"""A whole class at nine o'clock: `sudo ./lab bench class [--students 200] [--postgres]`.

Every student clicks Start at the same moment, gets the sandbox's part of the page, opens the two sockets that the page
opens, waits for the first prompt, and then types lines at a person's speed, each of which makes the checks run. Then all
are quiet, and what the sessions cost at rest is counted. The students share the two cores with the site. Takes four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from websockets.asyncio.client import connect  # noqa: E402

from deploy.lab import postgres  # noqa: E402
from runtime_agent import cgroup, protocol  # noqa: E402
from runtime_agent.protocol import terminal_codec  # noqa: E402
from runtime_agent.protocol.terminal_codec import Frame  # noqa: E402
from tests.bench.table import Row, percentile, report  # noqa: E402
from tests.instance import Instance, running, wait_until  # noqa: E402

LESSON = "/learn/virtualization-and-containers/containers/a-container-is-a-process/"
TYPE_SECONDS, REST_SECONDS, QUIET_SECONDS = 30.0, 20.0, 15.0
KEY_SECONDS = (0.12, 0.35)
PROMPT = b"\x1b]133;B"
SOCKET = {"max_size": None, "compression": None, "ping_interval": None, "open_timeout": 60}
TICK = os.sysconf("SC_CLK_TCK")
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
        """From the click to the first prompt."""
        self.began = time.perf_counter()
        try:
            async with asyncio.timeout(120):
                page = await self.click()
                session_id = re.search(r'data-session="([0-9a-f-]{36})"', page)[1]
                stand = await self.wait_ready(session_id)
                if f'data-stand="{stand}"' not in page:  # the page fetches itself anew before it opens the terminal
                    await self.fetch(LESSON + "?part=sandbox")
                self.terminal = await self.open(f"/ws/sessions/{session_id}/terminals/0/")
                self.reading = asyncio.create_task(self.read())
                await self.terminal.send(terminal_codec.encode(Frame.HELLO, protocol.VERSION, 0, random.getrandbits(63),
                                                               terminal_codec.FROM_RING_START, 24, 80))
                await self.until(PROMPT)
            self.prompt_seconds = time.perf_counter() - self.began
        except Exception as error:  # noqa: BLE001  whatever it is, it is counted and the bench is red
            self.errors[f"start: {error!r}"[:120]] += 1

    async def click(self) -> str:
        """POST as the page's script does, which is answered with the sandbox's part of the page."""
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": self.token})
        status, page = await self.http("POST", LESSON + "sessions/", body)
        if status != 200:
            raise RuntimeError(f"the click was answered with {status}")
        return page

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

    async def wait_ready(self, session_id: str) -> str:
        self.notices = await self.open(f"/ws/sessions/{session_id}/")
        while True:
            notice = json.loads(await self.notices.recv())
            if notice.get("state") in ("failed", "ended"):
                raise RuntimeError(f"the session {notice['state']}: {notice['reason']}")
            if notice.get("state") == "ready":
                self.reading_notices = asyncio.create_task(self.listen())
                return notice["stand"]

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
        except Exception as error:  # noqa: BLE001
            self.errors[f"terminal: {error!r}"[:120]] += 1

    async def until(self, text: bytes) -> None:
        while text not in self.seen:
            self.arrived.clear()
            await self.arrived.wait()

    async def type_lines(self, until: float) -> None:
        """Keys of a line one by one, each awaited on the screen, then Return and the next prompt."""
        await asyncio.sleep(random.uniform(0, 1))  # noqa: S311
        try:
            while time.perf_counter() < until:
                async with asyncio.timeout(30):
                    await self.one_line(random.choice(["ls /", "ps", "hostname", "cat /etc/hostname"]))  # noqa: S311
        except Exception as error:  # noqa: BLE001
            self.errors[f"typing: {error!r}"[:120]] += 1

    async def one_line(self, line: str) -> None:
        for key in line:
            await asyncio.sleep(random.uniform(*KEY_SECONDS))  # noqa: S311
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


# --- what it costs ----------------------------------------------------------------------------------------


def processes(site: Instance) -> list[int]:
    """Those of the site and of every sandbox."""
    found = {child.pid for child in site.children.values()}
    top = Path("/sys/fs/cgroup")
    for group in {*top.glob(f"*/{site.environment['BULKHEAD_CGROUP']}"), top / site.environment["BULKHEAD_CGROUP"]}:
        for file in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in file.read_text().split()}
    return sorted(found)


def cpu_seconds(site: Instance) -> Counter[str]:
    """By name: the site's processes with the children they waited for, and everything in the sandboxes' groups."""
    found: Counter[str] = Counter()
    for name, child in site.children.items():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        found[name] = sum(int(field) for field in fields[11:15]) / TICK
    group = cgroup.Group(site.environment["BULKHEAD_CGROUP"])
    file = group.file("cpuacct", "cpuacct.usage") if group.version == 1 else group.file("cpu", "cpu.stat")
    found["sandboxes"] = int(file.read_text()) / 1e9 if group.version == 1 else int(file.read_text().split()[1]) / 1e6
    return found


def told(what: str, used: Counter[str], count: int) -> float:
    """Milliseconds of CPU for each session; who used them is told aside."""
    shares = ", ".join(f"{name} {seconds * 1000 / count:.1f}" for name, seconds in used.most_common() if seconds)
    print(f"{what}, ms of CPU a session: {shares}", file=sys.stderr, flush=True)
    return used.total() * 1000 / count


def memory_bytes(pids: list[int]) -> int:
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1]) * 1024
    return found


def switches(pids: list[int]) -> int:
    """How often these processes and their threads have been woken so far."""
    found = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                found += int(re.search(r"^voluntary_ctxt_switches:\t(\d+)", file.read_text(), re.MULTILINE)[1])
    return found


# --- the lesson -------------------------------------------------------------------------------------------


async def hold_class(site: Instance, keys: list[str], with_pool: bool) -> list[Row]:
    errors: Counter[str] = Counter()
    students = [Student(site, key, errors) for key in keys]
    memory = memory_bytes(processes(site))
    await students[0].http("GET", LESSON)  # the site warms its templates, and the agent its pool for this lab
    if with_pool:
        await asyncio.to_thread(wait_until, lambda: spares(site) >= len(keys), 900, f"{len(keys)} spares")
    count = len(students)
    pids = " ".join(f"{name}={child.pid}" for name, child in site.children.items())
    print(f"{count} students click; {spares(site)} spares stand ready; {pids}", file=sys.stderr, flush=True)
    await asyncio.sleep(2)  # a profiler may be attached now
    cpu = cpu_seconds(site)
    await asyncio.gather(*(student.start() for student in students))
    started = [student for student in students if student.prompt_seconds is not None]
    waited = [student.prompt_seconds for student in started] or [float("inf")]
    start_cpu = told("start", cpu_seconds(site) - cpu, count)
    print(f"the last prompt came after {max(waited):.1f} s; errors {dict(errors)}", file=sys.stderr, flush=True)
    cpu = cpu_seconds(site)
    await asyncio.gather(*(student.type_lines(time.perf_counter() + TYPE_SECONDS) for student in started))
    type_cpu = told("typing", cpu_seconds(site) - cpu, count)
    await asyncio.sleep(QUIET_SECONDS)
    pids = processes(site)
    grown, cpu, woken = memory_bytes(pids) - memory, cpu_seconds(site), switches(pids)
    await asyncio.sleep(REST_SECONDS)
    woken, rest_cpu = switches(pids) - woken, told("rest", cpu_seconds(site) - cpu, count)
    echoes = [value for student in started for value in student.echoes] or [float("inf")]
    for what, times in errors.items():
        print(f"{times} times: {what}", file=sys.stderr)
    return [Row(f"{count} clicks at once: the last prompt", "s", max(waited), bound="<= 10"),
            Row("click to prompt p50", "s", statistics.median(waited)), Row("click to prompt p95", "s", percentile(waited, 0.95)),
            Row("CPU of a click to its prompt, pages too", "ms", start_cpu),
            Row("key echo p50, all typing", "ms", statistics.median(echoes)),
            Row("key echo p95, all typing", "ms", percentile(echoes, 0.95)),
            Row("CPU of a typing session", "ms/s", type_cpu / TYPE_SECONDS),
            Row("memory of a session, site and agent too", "MiB", grown / count / 2**20),
            Row("sessions at rest per GiB", "", count * 2**30 / grown, bound=">= 1000"),
            Row("CPU of a session at rest", "ms/s", rest_cpu / REST_SECONDS),
            Row("wake-ups of a session at rest", "1/s", woken / count / REST_SECONDS),
            Row("errors", "", sum(errors.values()), bound="<= 0")]


def spares(site: Instance) -> int:
    return len(list((site.state / "agent" / "spares").glob("*/state.json")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--warm", type=int, help="spares before the click; default: one for each student")
    parser.add_argument("--postgres", action="store_true", help="on a throw-away PostgreSQL instead of SQLite")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    warm = options.students if options.warm is None else options.warm
    settings = {"BULKHEAD_CAPACITY": str(options.students + 10), "BULKHEAD_WARM": str(warm), "BULKHEAD_SLOT_BASE": "27000"}
    with contextlib.ExitStack() as stack:
        if options.postgres:
            settings["BULKHEAD_DATABASE_URL"] = stack.enter_context(postgres.running())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkhead-bench-")))
        site = stack.enter_context(running(folder / "site", **settings))
        printed = site.manage("shell", "-c", SIGN_IN.format(count=options.students))
        vendor, keys = json.loads(printed.partition("KEYS ")[2])
        print(f"the site's database is {vendor}", file=sys.stderr, flush=True)
        if vendor != ("postgresql" if options.postgres else "sqlite"):
            raise SystemExit("that is not the database that was asked for")
        return report(asyncio.run(hold_class(site, keys, warm >= options.students)), options.json)


if __name__ == "__main__":
    sys.exit(main())
