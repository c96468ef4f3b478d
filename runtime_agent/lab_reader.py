"""From lab.json to a Lab: every name is matched against a pattern, every file is one of the bundle, and every limit is held
against what this host may give."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any

from runtime_agent import questions
from runtime_agent.addresses import SUBNETS, Network, room_in
from runtime_agent.errors import AgentError
from runtime_agent.lab import Block, Lab, Machine, Preview, Script, Task
from runtime_agent.profiles import PERMISSIONS
from runtime_agent.questions import Question

FORMAT = 1
MAX_TASKS = 64
MAX_STEPS = 64
MAX_NETWORKS = 8
MAX_PREVIEWS = 8
PROFILES = frozenset({"standard", "nested"})

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,4}")


@dataclass(frozen=True)
class Bounds:
    """The most that one lab may ask of this host."""

    memory_bytes: int = 2 << 30
    pids: int = 4096
    cpus: float = 2.0
    disk_bytes: int = 16 << 30
    machines: int = 4
    minutes: int = 24 * 60
    timeout_seconds: int = 60

    @classmethod
    def of_this_host(cls) -> Bounds:
        """No lab may have more memory or cores than the machine itself."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(memory_bytes=min(cls.memory_bytes, memory), cpus=float(os.cpu_count() or 1))


class Reader:
    """Turns lab.json into a Lab, once; ValueError, TypeError and KeyError mean that it breaks the format."""

    def __init__(self, document: dict[str, Any], files: Mapping[str, bytes], bounds: Bounds):
        self.document, self.files, self.bounds = document, files, bounds

    def lab(self, digest: str, directory: Path) -> Lab:
        document = self.document
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, this agent reads {FORMAT}")
        machines = {name: self._machine(name, fields) for name, fields in document["machines"].items()}
        if not 1 <= len(machines) <= self.bounds.machines:
            raise AgentError("bad-limit", f"{len(machines)} machines, 1..{self.bounds.machines} are allowed")
        steps = tuple(_text(step) for step in document["steps"][:MAX_STEPS])
        self.machines, self.steps = machines, steps
        return Lab(
            digest=digest, directory=directory, lesson=_text(document["lesson"]), machines=machines, steps=steps,
            tasks=self._tasks(document["tasks"]),
            terminals=tuple(self._machine_name(entry["machine"]) for entry in document["terminals"]),
            setup=self._scripts(document["setup"]), resume=self._scripts(document.get("resume", {})),
            minutes=self._bounded("minutes", document["limits"]["minutes"], 1),
            extend=_whole(document["limits"].get("extend", 0)),
            student_limits=tuple(_text(name) for name in document["limits"].get("student", [])),
            recording=bool(document.get("recording", True)), networks=self._networks(document["networks"]),
            previews=tuple(map(self._preview, document["previews"][:MAX_PREVIEWS])),
            solutions=tuple(self._blocks(document.get("solutions", []))))

    def _machine(self, name: str, fields: dict[str, Any]) -> Machine:
        if fields["profile"] not in PROFILES:
            raise AgentError("unknown-profile", f"machine {name}: profile {fields['profile']!r}")
        if not _NAME.fullmatch(str(fields["image"])):
            raise AgentError("unknown-image", f"machine {name}: image {fields['image']!r}")
        return Machine(
            name=_match(_NAME, name), image=fields["image"], profile=fields["profile"],
            user=_match(_USER, fields["user"]), hostname=_match(_NAME, fields["hostname"]),
            memory_bytes=self._bounded("memory_bytes", fields["memory_bytes"], 16 << 20),
            pids=self._bounded("pids", fields["pids"], 16),
            cpus=self._cpus(fields["cpus"]),
            disk_bytes=self._bounded("disk_bytes", fields["disk_bytes"], 16 << 20),
            allow=self._permissions(name, fields))

    def _permissions(self, name: str, fields: dict[str, Any]) -> tuple[str, ...]:
        allow = fields.get("allow", [])
        if not isinstance(allow, list) or not all(entry in PERMISSIONS for entry in allow):
            raise ValueError(f"machine {name}: allow is {allow!r}, known are {', '.join(PERMISSIONS)}")
        if allow and fields["profile"] != "nested":
            raise ValueError(f"machine {name}: only the nested profile may allow {allow[0]}")
        return tuple(sorted(set(allow)))

    def _networks(self, entries: list[dict[str, Any]]) -> tuple[Network, ...]:
        if len(entries) > MAX_NETWORKS:
            raise AgentError("bad-limit", f"{len(entries)} networks, {MAX_NETWORKS} are allowed")
        networks: list[Network] = []
        for entry in entries:
            machines = tuple(map(self._machine_name, entry["machines"]))
            network = Network(_match(_NAME, entry["name"]), machines, IPv4Network(entry["subnet"]))
            if len(set(machines)) < len(machines) or len(machines) > room_in(network.subnet):
                raise ValueError(f"network {network.name}: a machine is in it twice, or there is no room for all")
            if not any(map(network.subnet.subnet_of, SUBNETS)) \
                    or any(network.subnet.overlaps(other.subnet) or network.name == other.name for other in networks):
                raise ValueError(f"network {network.name}: {network.subnet} is not private, or there is another like it")
            networks.append(network)
        return tuple(networks)

    def _preview(self, entry: dict[str, Any]) -> Preview:
        port = _whole(entry["port"])
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port}")
        return Preview(self._machine_name(entry["machine"]), port)

    def _bounded(self, name: str, value: object, least: int) -> int:
        most = getattr(self.bounds, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise AgentError("bad-limit", f"{name} is {value!r}, this host allows {least}..{most}")
        return value

    def _cpus(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.05 <= value <= self.bounds.cpus:
            raise AgentError("bad-limit", f"cpus is {value!r}, this host allows 0.05..{self.bounds.cpus}")
        return float(value)

    def _tasks(self, entries: list[dict[str, Any]]) -> tuple[Task, ...]:
        if len(entries) > MAX_TASKS:
            raise AgentError("bad-limit", f"{len(entries)} tasks, {MAX_TASKS} are allowed")
        tasks: dict[str, Task] = {}
        for entry in entries:
            task = self._task(entry)
            if task.id in tasks or task.step not in self.steps or not set(task.needs) <= set(tasks):
                raise ValueError(f"task {task.id}: used twice, or its step or a need is not there before it")
            tasks[task.id] = task
        return tuple(tasks.values())

    def _task(self, entry: dict[str, Any]) -> Task:
        return Task(id=_match(_NAME, entry["id"]), step=_text(entry["step"]),
                    machine=self._machine_name(entry["machine"]), check=self._check(entry["check"], entry.get("hint")),
                    fail=self._check(entry["fail"], None) if entry.get("fail") else None,
                    needs=tuple(_match(_NAME, need) for need in entry.get("needs", [])))

    def _check(self, entry: dict[str, Any], hints: list[dict[str, Any]] | None) -> Script | Question:
        return questions.read(entry, hints) if "facts" in entry else self._script(entry)

    def _script(self, entry: dict[str, Any]) -> Script:
        timeout = entry.get("timeout", 5)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) \
                or not 0 < timeout <= self.bounds.timeout_seconds:
            raise AgentError("bad-limit", f"timeout {timeout!r}, at most {self.bounds.timeout_seconds} s")
        return Script(self._file(entry["run"]), _match(_USER, entry.get("user", "root")), float(timeout))

    def _scripts(self, entries: dict[str, Any]) -> dict[str, str]:
        return {self._machine_name(name): self._file(path) for name, path in entries.items()}

    def _file(self, path: object) -> str:
        _match(_PATH, path)
        if PurePosixPath(str(path)).as_posix() != path or path not in self.files:
            raise ValueError(f"{path!r} is not a file of the bundle")
        return path

    def _machine_name(self, name: object) -> str:
        if name not in self.machines:
            raise ValueError(f"no machine {name!r}")
        return str(name)

    def _blocks(self, entries: list[dict[str, Any]]) -> Iterator[Block]:
        for entry in entries:
            for block in entry["blocks"]:
                machine = block.get("machine") or next(iter(self.machines))
                yield Block(_text(entry["step"]), self._machine_name(machine), str(block["code"]),
                            bool(block.get("interrupt")))


def _match(pattern: re.Pattern[str], value: object) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise ValueError(f"{value!r} is not a name of the form {pattern.pattern}")


def _text(value: object) -> str:
    if isinstance(value, str) and len(value) <= 200:
        return value
    raise ValueError(f"{value!r} is not a short text")


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{value!r} is not a whole number")
