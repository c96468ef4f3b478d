"""A signed-in student's lesson page beside the same view on Django's stock handler: `./lab bench page`.

Both run in this process, alternately, from the ASGI request to the last byte of the answer, without a network: what is
compared is the way through the middleware. The last two rows tell what that way costs by itself, for an answer of three
bytes. Counts the queries, too. Takes half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(PROJECT))

from tests.bench.table import Row, report, spread  # noqa: E402
from tests.instance import Instance  # noqa: E402

LESSON = "/learn/virtualization-and-containers/containers/a-container-is-a-process/"
NOTHING = "/healthz"
ROUNDS, BLOCK = 30, 10
KEPT_SECONDS = {"ours": 60, "stock": 0}
"""How long a connection to the database is kept: Django's handler has a thread, and so a connection, for each request."""
INSIDE = "BULKHEAD_BENCH_INSIDE"
Handler = Callable[..., Awaitable[None]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    if os.environ.get(INSIDE):
        return report(asyncio.run(measure(*prepared())), options.json)
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        site = Instance(Path(folder) / "site")
        site.prepare()
        return subprocess.run([sys.executable, __file__, *sys.argv[1:]], cwd=PROJECT, check=False,
                              env={**site.environment, INSIDE: "1", "DJANGO_SETTINGS_MODULE": "labsite.settings"}).returncode


def prepared() -> tuple[Handler, Handler, str]:
    """(our handler, Django's, the cookies of a student who has signed in)."""
    import django
    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.handlers.asgi import ASGIHandler
    from django.test import Client

    from labsite.handler import OneHopHandler
    student = Client()
    student.force_login(get_user_model().objects.create_user("bench"), "django.contrib.auth.backends.ModelBackend")
    return OneHopHandler(), ASGIHandler(), f"sessionid={student.cookies[settings.SESSION_COOKIE_NAME].value}"


async def measure(ours: Handler, stock: Handler, cookies: str) -> list[Row]:
    queries = await asyncio.to_thread(queries_of, cookies)
    handlers = {"ours": ours, "stock": stock}
    return [*await beside(handlers, cookies, "lesson page", LESSON, "<= 0.5"),
            *await beside(handlers, cookies, "middleware alone", NOTHING, ""),
            Row("queries beyond session and user", "", queries, bound="<= 2")]


async def beside(handlers: dict[str, Handler], cookies: str, what: str, path: str, target: str) -> list[Row]:
    from django.db import connections
    taken: dict[str, list[float]] = {name: [] for name in handlers}
    used: dict[str, list[float]] = {name: [] for name in handlers}
    for number in range(-2, ROUNDS):
        for name in random.sample(list(handlers), 2):
            connections.settings["default"]["CONN_MAX_AGE"] = KEPT_SECONDS[name]
            began, cpu = time.perf_counter(), time.process_time()
            for _ in range(BLOCK):
                await get(handlers[name], path, cookies)
            if number >= 0:
                taken[name].append((time.perf_counter() - began) * 1000 / BLOCK)
                used[name].append((time.process_time() - cpu) * 1000 / BLOCK)
    return [Row(f"{what}, {kind}", "ms", statistics.median(values["ours"]), statistics.median(values["stock"]),
                "stock handler", target, spread=spread(values["ours"], values["stock"]))
            for kind, values in (("time", taken), ("CPU", used))]


async def get(handler: Handler, path: str, cookies: str) -> None:
    """One request; raises if it is not answered with the page."""
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
             "query_string": b"", "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
             "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookies.encode()), (b"accept-encoding", b"gzip")]}
    asked, answered = asyncio.Event(), []

    async def receive() -> dict:
        if asked.is_set():
            await asyncio.Event().wait()  # the browser stays
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        answered.append(message)
    await handler(scope, receive, send)
    if answered[0]["status"] != 200:
        raise SystemExit(f"{path} was answered with {answered[0]['status']}")


def queries_of(cookies: str) -> int:
    """Beyond the two by which the session and its user are found; the second look at a page counts."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    student = Client(headers={"cookie": cookies, "host": "127.0.0.1"})
    student.get(LESSON)
    with CaptureQueriesContext(connection) as caught:
        student.get(LESSON)
    for query in caught:
        print(f"  {query['sql'][:150]}", file=sys.stderr)
    return len(caught) - 2


if __name__ == "__main__":
    sys.exit(main())
