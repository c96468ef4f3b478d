"""What a lab is to the agent, once it has been read and found good (content.py): machines, tasks, previews, solutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime_agent.addresses import Network
from runtime_agent.questions import Question


@dataclass(frozen=True)
class Machine:
    """One sandbox of a lab, as lab.yaml describes it."""

    name: str
    image: str
    profile: str
    user: str
    hostname: str
    memory_bytes: int
    cpus: float
    pids: int
    disk_bytes: int
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Script:
    """A file of the bundle that runs inside a sandbox, by the agent's own shell."""

    run: str
    user: str
    timeout: float


@dataclass(frozen=True)
class Task:
    """Something the student has to bring about, and what notices it: a script inside, or a question to the kernel."""

    id: str
    step: str
    machine: str
    check: Script | Question
    fail: Script | Question | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """A TCP port of a machine that the site may show to the session's owner."""

    machine: str
    port: int


@dataclass(frozen=True)
class Block:
    """One command block of a solution; only the lab test reads it."""

    step: str
    machine: str
    code: str
    interrupt: bool


@dataclass(frozen=True)
class Lab:
    """A validated bundle. ``directory`` is where its files lie."""

    digest: str
    directory: Path
    lesson: str
    machines: Mapping[str, Machine]
    steps: tuple[str, ...]
    tasks: tuple[Task, ...]
    terminals: tuple[str, ...]
    setup: Mapping[str, str]
    minutes: int
    extend: int
    networks: tuple[Network, ...] = ()
    previews: tuple[Preview, ...] = ()
    resume: Mapping[str, str] = field(default_factory=dict)
    student_limits: tuple[str, ...] = ()
    recording: bool = True
    solutions: tuple[Block, ...] = field(default=(), repr=False)
