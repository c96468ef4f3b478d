"""A signed-in student's lesson page beside the same page on Django's stock handler: `./lab bench page`.

All run in this process, alternately, from the ASGI request to the last byte of the answer, without a network. The stock
handler has the same middleware, settings and templates, and shows the page in two ways: rendered whole at each look, as a
project does that remembers nothing, and by our view with all that it remembers, so that only the way to it differs. Then
the same for a reader whose sandbox runs, who has answered and passed; and the way alone, for an answer of three bytes.
Counts the queries, too. Takes a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from unittest import mock

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
Way = Callable[[], contextlib.AbstractContextManager]


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


def prepared() -> tuple[Handler, Handler, str, str]:
    """(our handler, Django's, the cookies of a student who has signed in, and of one in the middle of the lesson)."""
    import django
    django.setup()
    from django.core.handlers.asgi import ASGIHandler

    from labsite.handler import OneHopHandler
    work_through("busy")
    return OneHopHandler(), ASGIHandler(), signed_in("new"), signed_in("busy")


def signed_in(name: str) -> str:
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client
    student = Client()
    student.force_login(get_user_model().objects.get_or_create(username=name)[0], "django.contrib.auth.backends.ModelBackend")
    return f"sessionid={student.cookies[settings.SESSION_COOKIE_NAME].value}"


def work_through(name: str) -> None:
    """Their sandbox runs, two tasks have passed, the first hint is taken, the first prediction made."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from labs.models import Answer, HintTaken, LabSession, Lesson, TaskResult
    student, now = get_user_model().objects.create_user(name), timezone.now()
    lesson = Lesson.objects.get(slug=LESSON.split("/")[-2])
    session = LabSession.objects.create(user=student, lesson=lesson, lab=lesson.lab, lab_digest=lesson.lab_digest, state="ready",
                                        host="h1", queued_at=now, asked_at=now, expires_at=now, deadline_at=now)
    session.terminals.create(number=1, machine=next(iter(lesson.lab["machines"])), title="outside", state="open")
    for task in lesson.lab["tasks"][:2]:
        TaskResult.objects.create(user=student, lesson=lesson, task=task["id"], session=session, state="passed", passed_at=now)
    blocks = [block for step in lesson.document["steps"] for block in step["blocks"]]
    hint, prediction = (next(block for block in blocks if block["kind"] == kind) for kind in ("hint", "predict"))
    HintTaken.objects.create(user=student, lesson=lesson, hint=hint["id"])
    Answer.objects.create(user=student, lesson=lesson, block=prediction["id"], kind="predict", given="1", correct=False)


@contextlib.contextmanager
def remembering_nothing() -> Iterator[None]:
    """Every part of a page is read and rendered for each look at it. What Django remembers by itself, it goes on remembering:
    templates that were read, addresses, words of a language."""
    from labs import lesson_blocks, lesson_text
    from labs.templatetags import still

    def each_time(node: still.StillNode, context: object) -> str:
        return node.nodelist.render(context)
    with contextlib.ExitStack() as forgetful:
        for module, name in ((lesson_text, "decoded"), (lesson_text, "rendered"), (lesson_blocks, "_pieces"), (still, "_alike")):
            forgetful.enter_context(mock.patch.object(module, name, getattr(module, name).__wrapped__))
        forgetful.enter_context(mock.patch.object(still.StillNode, "render", each_time))
        yield


async def measure(ours: Handler, stock: Handler, new: str, busy: str) -> list[Row]:
    queries = await asyncio.to_thread(queries_of, new)
    handlers = {"ours": ours, "stock": stock}
    return [*await beside(handlers, new, "lesson page, whole", LESSON, "<= 0.5", remembering_nothing),
            *await beside(handlers, new, "lesson page, same view", LESSON, "<= 0.5"),
            *await beside(handlers, busy, "the same, sandbox runs, whole", LESSON, "<= 0.5", remembering_nothing),
            *await beside(handlers, busy, "the same, sandbox runs, same view", LESSON, "<= 0.5"),
            *await beside(handlers, new, "middleware alone", NOTHING, ""),
            Row("queries beyond session and user", "", queries, bound="<= 2")]


async def beside(handlers: dict[str, Handler], cookies: str, what: str, path: str, target: str,
                 stock_way: Way = contextlib.nullcontext) -> list[Row]:
    """``stock_way`` is how Django's handler shows the page."""
    from django.db import connections
    taken: dict[str, list[float]] = {name: [] for name in handlers}
    used: dict[str, list[float]] = {name: [] for name in handlers}
    for number in range(-2, ROUNDS):
        for name in random.sample(list(handlers), 2):
            connections.settings["default"]["CONN_MAX_AGE"] = KEPT_SECONDS[name]
            with stock_way() if name == "stock" else contextlib.nullcontext():
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
