"""What a web process does, on request: one JSON command a line, one JSON answer. Runs in the site's network namespace."""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402

from labs import notices, sessions  # noqa: E402
from labs.hosts import wishes  # noqa: E402
from labs.models import LabSession, Lesson, WorkerHost  # noqa: E402

FIELDS = ("state", "host", "generation", "reason", "kept_until")


def start(name: str) -> str:
    user, _ = get_user_model().objects.get_or_create(username=name)
    return str(sessions.start(user, Lesson.objects.exclude(lab_digest="").get()).pk)


def look(session_id: str) -> dict[str, Any]:
    return {name: str(value) if name == "kept_until" and value else value for name, value in
            LabSession.objects.filter(pk=session_id).values(*FIELDS).get().items()}


def every() -> dict[str, dict[str, Any]]:
    return {str(row.pop("pk")): row for row in LabSession.objects.values("pk", *FIELDS[:4])}


def hosts() -> dict[str, dict[str, Any]]:
    return {host.name: {"is_silent": host.is_silent, "wish": host.wish, "line": host.line} for host in WorkerHost.objects.all()}


COMMANDS = {
    "start": start, "look": look, "every": every, "hosts": hosts,
    "end": lambda session_id, keep=True: sessions.end(session_id, keep).state,
    "restart": lambda session_id: sessions.restart(session_id).state,
    "resume": lambda session_id: sessions.resume(session_id).state,
    "notice": lambda session_id: notices.state_of(LabSession.objects.get(pk=session_id)),
    "wish": lambda name, wish: wishes.set_wish(name, wish).generation,
    "remove": lambda name: wishes.remove(name),
}

for line in sys.stdin:
    name, arguments = json.loads(line)
    try:
        answer: Any = {"ok": COMMANDS[name](*arguments)}
    except Exception as error:  # noqa: BLE001  (whatever it is, the test is told)
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
