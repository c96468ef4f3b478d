"""Stand-ins for ``sandbox`` and ``spawn``: the agent's sessions without a kernel behind them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runtime_agent import proc
from runtime_agent.capacity import Capacity
from runtime_agent.errors import AgentError
from runtime_agent.events import Outbox
from runtime_agent.points import Points
from runtime_agent.records import Records
from runtime_agent.sessions import Sessions
from runtime_agent.terminal import Terminal

ALICE = "aaaaaaaa-0000-4000-8000-000000000001"
BOB = "bbbbbbbb-0000-4000-8000-000000000002"


@dataclass
class Box:
    session_id: str
    machine: str
    kills: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> Any:
        return SimpleNamespace(session_id=self.session_id, machine=self.machine)

    @property
    def container(self) -> str:
        return f"{self.session_id}-{self.machine}"

    def oom_kills(self) -> int:
        return self.kills


@dataclass
class Answer:
    status: int
    output: str
    timed_out: bool = False


@dataclass
class MachineRoom:
    """Both modules in one: sandboxes are directories, disks are small files, scripts answer as the test has set
    ``answers``."""

    sandboxes_dir: Path
    disks_dir: Path
    boxes: dict[tuple[str, str], Box] = field(default_factory=dict)
    created: list[tuple[str, str]] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    opened: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fed: list[bytes] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    fails_with: Exception | None = None
    fails_on: str | None = None
    """The machine that fails; every one if it is None."""
    stuck: dict[str, Exception] = field(default_factory=dict)
    """What deleting this machine raises."""

    def create(self, settings: Any, spec: Any, on_stage: Any) -> Box:
        place = (spec.session_id, spec.machine)
        on_stage("disk")
        if self.fails_with and self.fails_on in (None, spec.machine):
            (self.sandboxes_dir / spec.session_id / spec.machine).mkdir(parents=True, exist_ok=True)
            raise self.fails_with
        if place not in self.boxes:
            self.created.append(place)
            self.boxes[place] = Box(*place)
            (self.sandboxes_dir / spec.session_id / spec.machine).mkdir(parents=True, exist_ok=True)
            if not self.disk(*place).exists():
                self.disk(*place).write_text("new")
        return self.boxes[place]

    def disk(self, session_id: str, machine: str = "box") -> Path:
        return self.disks_dir / f"{session_id}-{machine}.img"

    def living(self, settings: Any) -> list[Box]:
        return list(self.boxes.values())

    def delete(self, settings: Any, session_id: str, machine: str, keep_disk: bool = False) -> None:
        if machine in self.stuck:
            raise self.stuck[machine]
        self.boxes.pop((session_id, machine), None)
        if keep_disk:
            self.kept.append((session_id, machine))
        else:
            self.disk(session_id, machine).unlink(missing_ok=True)
        directory = self.sandboxes_dir / session_id / machine
        if directory.exists():
            directory.rmdir()

    def find(self, settings: Any, session_id: str, machine: str) -> Box | None:
        return self.boxes.get((session_id, machine))

    def open_terminal(self, settings: Any, box: Box, number: int, rows: int, cols: int) -> Any:
        self.opened.append((box.session_id, number))
        terminal = Terminal(os.getpid(), proc.start_ticks(os.getpid()), 3, os.getpid(), box.machine, 0.0, "", box.container)
        box.state.setdefault("terminals", {})[str(number)] = terminal.to_state()
        return terminal

    def hang_up(self, box: Box, number: int) -> bool:
        if (box.session_id, number) not in self.opened:
            return False
        self.opened.remove((box.session_id, number))
        return True

    def run(self, settings: Any, box: Box, argv: list[str], user: str, timeout: float,
            stdin: bytes | None = None, **_: Any) -> Answer:
        if (box.session_id, box.machine) not in self.boxes:
            raise AgentError("lost", "gone")
        if stdin is not None:
            self.fed.append(stdin)
        self.asked.append(argv[-1].rpartition("/")[2])
        return self.answers.get(self.asked[-1], Answer(1, "not yet\n"))


class PlainFiles:
    """A stand-in for ``diskcopy``: disks are files that nobody has mounted."""

    def settle(self, source: Any) -> None:
        pass

    def freeze_and_copy(self, source: Any, target: Path) -> None:
        target.write_bytes(source.image.read_bytes())

    def copy_back(self, source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())


def hall(tmp_path: Path, capacity: int = 4) -> tuple[Sessions, MachineRoom]:
    """Sessions over a machine room, on a fresh state directory."""
    settings = SimpleNamespace(state_dir=tmp_path, agent_dir=tmp_path / "agent", content_dir=tmp_path / "content", host="here",
                               kept_bytes=1 << 30, standard_runtime="")
    settings.content_dir.mkdir()
    records = Records(settings.agent_dir)
    room = MachineRoom(records.sandboxes_dir, records.disks_dir)
    sessions = Sessions(settings, Outbox(settings.agent_dir / "outbox", "here"),
                        Capacity(capacity, lambda: set(room.boxes)), records, machinery=room, terminals=room,
                        points=Points(settings, PlainFiles()))
    return sessions, room


def told(sessions: Sessions) -> list[tuple[str, Any]]:
    """(kind, the word that matters) of every event so far, in order; they are taken out."""
    words = []
    for path, event in sessions.outbox.waiting():
        payload = event["payload"]
        word = next((payload[key] for key in ("stage", "reason", "task", "state", "kept", "kills") if key in payload),
                    None)
        words.append((event["kind"], word))
        path.unlink()
    return words
