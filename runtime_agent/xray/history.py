"""What happened in a session since its beginning: bounded in bytes, and small enough to be kept for every session.

Two things are kept. *Events* are news with their time, the commands typed among them. *Frames* are whole documents at a
coarse spacing, each as the difference from the one before, so that the time line can be gone back along. What grows too
large is thinned from the old end: every second frame of the older half goes, and events about single processes go first.
"""

from __future__ import annotations

import json
import time
from typing import Any

from runtime_agent.xray import news, patch

Document = dict[str, Any]
MAX_FRAME_BYTES = 512 * 1024
MAX_EVENTS = 400
QUIET_MS = 30_000
"""Numbers that moved without news make a frame no more often than this."""
MAX_WHAT = 300


class History:
    """One generation of one session. ``at`` is milliseconds of the worker's clock. Not safe for threads."""

    def __init__(self, generation: int):
        self.generation = generation
        self.events: dict[str, Document] = {}
        self.frames: list[tuple[int, bytes]] = []
        self.machines: Document = {}
        """The newest look, whether a frame holds it or not."""
        self.framed: Document = {}
        self.next_number = 1
        self.commands: dict[int, str] = {}
        """The terminal -> the event of the command that runs in it."""
        self.is_saved = True

    # --- writing ------------------------------------------------------------------------------------------

    def note(self, machines: Document, at: int) -> None:
        """One look at all machines. The first is where the memory begins and tells no news."""
        found = [{"machine": name, **one} for name, after in machines.items() if name in self.machines
                 for one in news.between(self.machines[name], after)] if self.machines else []
        found += [{"machine": name, "kind": "machine-gone", "what": name}
                  for name in self.machines if name not in machines]
        self.machines = machines
        for one in found:
            self._add(at, one)
        if found or not self.frames or at - self.frames[-1][0] >= QUIET_MS:
            self._keep(at)

    def begin_command(self, terminal: int, text: str, at: int) -> None:
        if text:
            self.commands[terminal] = self._add(at, {"kind": "command", "what": text[:MAX_WHAT], "terminal": terminal})

    def end_command(self, terminal: int, status: int | None, at: int) -> None:
        """Of a command whose beginning was not seen nothing is told."""
        number = self.commands.pop(terminal, "")
        if event := self.events.get(number):
            ended = {"status": status, "seconds": round((at - event["at"]) / 1000, 1)}
            self.events = {**self.events, number: {**event, **ended}}
            self.is_saved = False

    def _add(self, at: int, event: Document) -> str:
        """Never changes a mapping that a document on its way may hold."""
        number, self.next_number = str(self.next_number), self.next_number + 1
        told = {name: value for name, value in event.items() if value is not None}
        self.events = {**self.events, number: {"at": at, **told}}
        while len(self.events) > MAX_EVENTS:
            of_processes = (key for key, one in self.events.items() if one["kind"].startswith("process-"))
            oldest = next(of_processes, next(iter(self.events)))
            self.events = {key: one for key, one in self.events.items() if key != oldest}
        self.is_saved = False
        return number

    def _keep(self, at: int) -> None:
        difference = patch.difference(self.framed, self.machines)
        if not difference:
            return
        self.frames.append((at, dump(difference)))
        self.framed, self.is_saved = self.machines, False
        while self.frame_bytes() > MAX_FRAME_BYTES and self._thin():
            pass

    def frame_bytes(self) -> int:
        return sum(len(body) for _, body in self.frames)

    def _thin(self) -> bool:
        """One round; False when nothing is left to drop. A sandbox too large for two frames has none."""
        if len(self.frames) <= 2:
            self.frames, self.framed = [], {}
            return False
        middle = max(2, len(self.frames) // 2)
        kept: list[tuple[int, bytes]] = []
        document: Document = {}
        last: Document = {}
        for index, (at, body) in enumerate(self.frames):
            document = patch.apply(document, json.loads(body))
            if index >= middle or index % 2 == 0:
                kept.append((at, dump(patch.difference(last, document))))
                last = document
        self.frames = kept
        return True

    # --- reading ------------------------------------------------------------------------------------------

    def body(self, now: int) -> bytes:
        """{"now", "frames": [[at, patch], ...]} for a panel that has just opened."""
        frames = b",".join(b"[%d,%s]" % frame for frame in self.frames)
        return b'{"now":%d,"frames":[%s]}' % (now, frames)

    def to_text(self) -> str:
        return json.dumps({"generation": self.generation, "next": self.next_number, "events": self.events,
                           "frames": [[at, body.decode()] for at, body in self.frames]})

    @classmethod
    def from_text(cls, text: str) -> History:
        """Raises ValueError, KeyError or TypeError for anything but what ``to_text`` made."""
        kept = json.loads(text)
        found = cls(kept["generation"])
        found.next_number, found.events = kept["next"], kept["events"]
        found.frames = [(at, body.encode()) for at, body in kept["frames"]]
        for _, body in found.frames:
            found.framed = patch.apply(found.framed, json.loads(body))
        found.machines = found.framed
        return found


def dump(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000
