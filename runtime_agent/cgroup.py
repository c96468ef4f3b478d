"""Control groups of sandboxes, version 1 and 2 under one vocabulary.

A sandbox has an outer group, owned by root, that carries its limits, and inside it ``inner``, where its processes
live and which is the root of its cgroup namespace. In the nested profile ``inner`` belongs to the sandbox's root,
who may make groups below it and can never lift the outer limit.

    <top>/<session id>/<machine>/          limits
    <top>/<session id>/<machine>/inner/    processes
    <top>/conmon/                          every conmon, so that none counts against a student
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime_agent.errors import AgentError

ROOT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
V2_CONTROLLERS = "+cpu +memory +pids +io"
PERIOD_MICROSECONDS = 100_000
DELEGATED_V1 = ("cgroup.procs", "tasks")
DELEGATED_V2 = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
KILL_SECONDS = 10.0
CONMON_WEIGHT = {"cpu.shares": 10_240, "cpu.weight": 1_000}
"""Ten times a sandbox's: whoever opens a terminal waits for no neighbour's endless loop."""


@dataclass(frozen=True)
class Limits:
    """What a sandbox may use: bytes, number of processes, CPUs."""

    memory_bytes: int
    pids: int
    cpus: float


def version(root: Path = ROOT) -> int:
    """2 where the controllers hang on the unified hierarchy, else 1."""
    return 2 if (root / "cgroup.controllers").exists() else 1


class Group:
    """The groups of one name in every hierarchy, e.g. ``bulkhead/<session>/<machine>``."""

    def __init__(self, name: str, root: Path = ROOT):
        self.name, self.root, self.version = name, root, version(root)

    @property
    def path(self) -> str:
        """What an OCI configuration calls cgroupsPath."""
        return f"/{self.name}/inner"

    def folders(self) -> list[Path]:
        """The group's folder in each hierarchy there is, whether it exists yet or not."""
        if self.version == 2:
            return [self.root / self.name]
        return [self.root / controller / self.name for controller in V1_CONTROLLERS
                if (self.root / controller).is_dir()]

    def file(self, controller: str, name: str) -> Path:
        return self.root / ("" if self.version == 2 else controller) / self.name / name

    # --- making -------------------------------------------------------------------------------------------

    def create(self, limits: Limits, owner: int | None) -> None:
        """Make outer and inner with their limits; ``owner`` gets ``inner`` delegated. Repeats safely."""
        try:
            for folder in self.folders():
                self._make(folder)
            self.limit(limits)
            for folder in self.folders():
                (folder / "inner").mkdir(exist_ok=True)
                self._prepare_cpuset(folder / "inner")
                if owner is not None:
                    self._delegate(folder / "inner", owner)
        except OSError as error:
            raise AgentError("start-failed", f"cgroup {self.name}: {error}") from error

    def limit(self, limits: Limits) -> None:
        """Set or move the limits. Raises OSError where the kernel refuses: on version 1, memory that is in use."""
        (self._limit_v2 if self.version == 2 else self._limit_v1)(limits)

    def _make(self, folder: Path) -> None:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            with contextlib.suppress(FileExistsError):
                parent.mkdir()
            self._prepare_cpuset(parent)
        if self.version == 2:
            for parent in reversed(folder.relative_to(self.root).parents):
                _write(self.root / parent / "cgroup.subtree_control", V2_CONTROLLERS)
            _write(folder / "cgroup.subtree_control", V2_CONTROLLERS)

    def _prepare_cpuset(self, folder: Path) -> None:
        """A new v1 cpuset is empty, and an empty one takes no process."""
        for name in ("cpuset.cpus", "cpuset.mems"):
            if self.version == 1 and (folder / name).exists() and not (folder / name).read_text().strip():
                _write(folder / name, (folder.parent / name).read_text().strip())

    def _limit_v1(self, limits: Limits) -> None:
        memory, swap = (self.file("memory", name) for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"))
        order = (memory, swap)
        if swap.exists() and int(swap.read_text()) < limits.memory_bytes:
            order = (swap, memory)
        for file in order:
            if file.exists():
                _write(file, limits.memory_bytes)
        _write(self.file("pids", "pids.max"), limits.pids)
        _write(self.file("cpu", "cpu.cfs_period_us"), PERIOD_MICROSECONDS)
        _write(self.file("cpu", "cpu.cfs_quota_us"), int(limits.cpus * PERIOD_MICROSECONDS))

    def _limit_v2(self, limits: Limits) -> None:
        """memory.high stays open: whoever is at it is slowed down for minutes, where version 1 ends the one that asks for
        too much at once and it can be told why."""
        self._give_back(limits.memory_bytes)
        _write(self.file("", "memory.max"), limits.memory_bytes)
        if self.file("", "memory.swap.max").exists():
            _write(self.file("", "memory.swap.max"), 0)
        _write(self.file("", "pids.max"), limits.pids)
        _write(self.file("", "cpu.max"), f"{int(limits.cpus * PERIOD_MICROSECONDS)} {PERIOD_MICROSECONDS}")

    def _give_back(self, memory_bytes: int) -> None:
        """Refuse, as version 1 does, a limit below what is in use and can't be written out: version 2 would kill for it."""
        used = int(self.file("", "memory.current").read_text())
        if used > memory_bytes:
            with contextlib.suppress(BlockingIOError):  # a part of it only
                _write(self.file("", "memory.reclaim"), used - memory_bytes)
            if int(self.file("", "memory.current").read_text()) > memory_bytes:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self.file("", "memory.max")))

    def _delegate(self, inner: Path, owner: int) -> None:
        os.chown(inner, owner, owner)
        for name in DELEGATED_V2 if self.version == 2 else DELEGATED_V1:
            if (inner / name).exists():
                os.chown(inner / name, owner, owner)

    def settle(self, pid: int) -> None:
        """Move the first process of a delegated group below it, to ``main``, and hand the controllers on.

        Version 2 gives a group's controllers to those below it only while it has no process itself, and engines want to
        give each container limits. A shell that is opened later follows by itself: a runtime that may not put it into
        ``inner`` puts it beside the first process. On version 1 nothing is in the way.
        """
        if self.version == 1:
            return
        inner = self.root / self.name / "inner"
        (inner / "main").mkdir(exist_ok=True)
        self._delegate(inner / "main", inner.stat().st_uid)
        _write(inner / "main" / "cgroup.procs", pid)
        _write(inner / "cgroup.subtree_control", V2_CONTROLLERS)

    # --- looking ------------------------------------------------------------------------------------------

    def pids(self) -> set[int]:
        """Every process in the group or below it, as the host numbers them."""
        found: set[int] = set()
        for folder in self.folders():
            for group in _tree(folder):
                with contextlib.suppress(OSError):
                    found.update(int(line) for line in (group / "cgroup.procs").read_text().split())
        return found

    def oom_kills(self) -> int:
        """How many processes the memory limit has killed. On v1 each group counts its own, so they are added up."""
        if self.version == 2:
            return _field(self.file("", "memory.events"), "oom_kill")
        return sum(_field(group / "memory.oom_control", "oom_kill") for group in _tree(self.file("memory", "")))

    # --- ending -------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """End every process, also one that forks faster than it is killed. Raises AgentError after 10 s."""
        deadline = time.monotonic() + KILL_SECONDS
        while self.pids():
            if self.version == 2:
                _write(self.file("", "cgroup.kill"), 1)
            else:
                self._kill_frozen()
            if time.monotonic() > deadline:
                raise AgentError("start-failed", f"cgroup {self.name} does not empty")
            time.sleep(0.01)

    def _kill_frozen(self) -> None:
        """Frozen processes can't fork; SIGKILL is delivered when they thaw."""
        freezer = self.file("freezer", "freezer.state")
        if freezer.exists():
            _write(freezer, "FROZEN")
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if freezer.exists():
            _write(freezer, "THAWED")

    def remove(self) -> None:
        """Kill and take away the groups, and the session's group when it was the last in it. Repeats safely."""
        self.kill()
        for folder in self.folders():
            for group in _tree(folder):
                _remove(group)
            with contextlib.suppress(OSError):
                folder.parent.rmdir()


def of_container(top: str, name: str, root: Path = ROOT) -> Group:
    """The group of container ``<id of 36 characters>-<machine>``."""
    return Group(f"{top}/{name[:36]}/{name[37:]}", root)


def hasten(root: Path = ROOT) -> threading.Thread | None:
    """Let a thread of its own do the waiting that the kernel lays upon the first to move a process between groups.

    That is a grace period of RCU, 6 to 16 ms; who comes soon after waits no more (percpu_down_write in
    cgroup_attach_lock, kernel/cgroup/cgroup.c). Moving this process to where it is already does, and changes nothing.
    """
    file = _own_procs(root)
    if file is None:
        return None

    def move() -> None:
        with contextlib.suppress(OSError):
            _write(file, 0)

    thread = threading.Thread(target=move, name="hasten", daemon=True)
    thread.start()
    return thread


def _own_procs(root: Path) -> Path | None:
    """cgroup.procs of the group that this process is in, if it can be seen from here."""
    wanted = "" if version(root) == 2 else "pids"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        file = root / wanted / path.strip("/") / "cgroup.procs"
        if controllers == wanted and file.exists():
            return file
    return None


def make_conmon_group(name: str, root: Path = ROOT) -> None:
    """``<name>/conmon`` in every hierarchy. Repeats safely."""
    group = Group(f"{name}/conmon", root)
    for folder in group.folders():
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            with contextlib.suppress(FileExistsError):
                parent.mkdir()
            group._prepare_cpuset(parent)
    for file, weight in CONMON_WEIGHT.items():
        if group.file("cpu", file).exists():
            _write(group.file("cpu", file), weight)


def _tree(folder: Path) -> Iterator[Path]:
    """The group in ``folder`` and those below it, children first. An engine inside may remove some meanwhile, which
    Path.rglob takes for an error."""
    return (Path(group) for group, _, _ in os.walk(folder, topdown=False))


def _write(file: Path, value: object) -> None:
    file.write_text(f"{value}\n")


def _field(file: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def _remove(folder: Path) -> None:
    """A group whose last process has just died is busy for a moment."""
    for _ in range(100):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
    folder.rmdir()
