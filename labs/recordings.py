"""The recorded terminals of a session, as the site sees them: fetched from the worker that has them, never stored here.

What a worker sends was printed by a student's programs, so it is parsed with care: a line that is none is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import async_to_sync

from labs import transcript
from labs.models import Event, LabSession
from labs.previews import tunnel
from labs.previews.stream import Closed
from runtime_agent.protocol.tunnel_codec import TunnelEnd

CastEvent = tuple[float, str, str]
MAX_EVENTS = 200_000


class Unavailable(Exception):
    """The worker did not answer; its recordings are there when it is back."""


@dataclass(frozen=True)
class Recording:
    """One terminal, from its shell's beginning to its end."""

    name: str
    terminal: int
    machine: str
    opened_at: datetime
    seconds: float
    bytes: int

    @property
    def address(self) -> str:
        return self.name.removesuffix(".cast")

    @property
    def minutes(self) -> int:
        return max(1, round(self.seconds / 60))


def of(session: LabSession) -> list[Recording]:
    """The session's recordings, the oldest first. Raises Unavailable."""
    if not session.host:
        return []
    try:
        entries = json.loads(_fetch(session, ""))
    except FileNotFoundError:
        return []
    return [Recording(**{**entry, "opened_at": datetime.fromtimestamp(entry["opened_at"], UTC)}) for entry in entries]


def _fetch(session: LabSession, name: str) -> bytes:
    """Raises Unavailable, or FileNotFoundError."""
    async def fetch() -> bytes:
        return await tunnel.current().fetch(session.host, str(session.id), name)
    try:
        return async_to_sync(fetch)()
    except Closed as closed:
        if closed.end is TunnelEnd.NO_SANDBOX:
            raise FileNotFoundError(name) from None
        raise Unavailable(closed.end.name) from None


class Cast:
    """One recording as asciicast v2, with the lab's tasks as markers. Raises Unavailable or FileNotFoundError."""

    def __init__(self, session: LabSession, name: str):
        self.header, recorded = parse(_fetch(session, name))
        begun = datetime.fromtimestamp(int(name[2:-5]) / 1000, UTC)
        self.events = with_markers(recorded, markers_of(session, begun))

    def as_file(self) -> str:
        lines = [self.header, *([at, kind, text] for at, kind, text in self.events)]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def blocks(self) -> list[transcript.Block]:
        return transcript.blocks_of(self.header["width"], self.header["height"], self.events)


def parse(file: bytes) -> tuple[dict[str, Any], list[CastEvent]]:
    """(header, events). FileNotFoundError if it is no recording at all."""
    first, *lines = file.decode(errors="replace").split("\n")
    header = _json(first)
    if not isinstance(header, dict) or not all(isinstance(header.get(key), int) for key in ("width", "height")):
        raise FileNotFoundError("a recording begins with its header")
    events = []
    for line in lines[:MAX_EVENTS]:
        event = _json(line)
        if isinstance(event, list) and len(event) == 3 and isinstance(event[0], int | float) \
                and event[1] in ("o", "r") and isinstance(event[2], str):
            events.append((event[0], event[1], event[2]))
    return header, events


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def markers_of(session: LabSession, begun: datetime) -> list[tuple[float, str]]:
    """When each task of the lab passed, by the worker's clock: (seconds since ``begun``, step and task)."""
    tasks = {task["id"]: task for task in session.lab["tasks"]}
    steps = {step["id"]: step["title"] for step in session.lesson.document.get("steps", []) if step.get("id")}
    found, seen = [], set()
    for event in Event.objects.filter(session=session, kind="task_passed", at__gte=begun).order_by("at"):
        task = tasks.get(event.payload.get("task"))
        if task and task["id"] not in seen:
            seen.add(task["id"])
            found.append(((event.at - begun).total_seconds(), f"{steps.get(task['step'], task['step'])}: {task['title']}"))
    return found


def with_markers(events: Iterable[CastEvent], markers: list[tuple[float, str]]) -> list[CastEvent]:
    """In the order of time; nothing is said after the recording's end."""
    events = list(events)
    end = events[-1][0] if events else 0
    return sorted([*events, *((at, "m", label) for at, label in markers if at <= end)], key=lambda event: event[0])
