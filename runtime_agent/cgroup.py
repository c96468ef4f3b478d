"""Control groups of sandboxes, version 1 and 2 under one vocabulary.

A sandbox has an outer group, owned by root, that carries its limits, and inside it ``inner``, where its processes
live and which is the root of its cgroup namespace. In the nested profile ``inner`` belongs to the sandbox's root,
who may make groups below it and can never lift the outer limit.

    <top>/<session id>/<machine>/          limits (limits.py)
    <top>/<session id>/<machine>/inner/    processes
    <top>/conmon/                          every conmon (conmon_group.py)
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from runtime_agent.errors import AgentError
from runtime_agent.limits import Limits, impose

ROOT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
V2_CONTROLLERS = "+cpu +memory +pids +io"
DELEGATED_V1 = ("cgroup.procs", "tasks")
DELEGATED_V2 = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
KILL_SECONDS = 10.0


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

    def write(self, controller: str, name: str, value: object) -> None:
        _write(self.file(controller, name), value)

    # --- making -------------------------------------------------------------------------------------------

    def create(self, limits: Limits, owner: int | None) -> None:
        """Make outer and inner with their limits; ``owner`` gets ``inner`` delegated. Repeats safely."""
        try:
            for folder in self.folders():
                self._make(folder)
            impose(self, limits)
            for folder in self.folders():
                (folder / "inner").mkdir(exist_ok=True)
                self._prepare_cpuset(folder / "inner")
                if owner is not None:
                    self._delegate(folder / "inner", owner)
        except OSError as error:
            raise AgentError("start-failed", f"cgroup {self.name}: {error}") from error

    def make_folder(self, folder: Path) -> None:
        """One of ``folders``, and what is missing above it, fit to take processes. Repeats safely."""
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            with contextlib.suppress(FileExistsError):
                parent.mkdir()
            self._prepare_cpuset(parent)

    def _make(self, folder: Path) -> None:
        self.make_folder(folder)
        if self.version == 2:
            for parent in reversed(folder.relative_to(self.root).parents):
                _write(self.root / parent / "cgroup.subtree_control", V2_CONTROLLERS)
            _write(folder / "cgroup.subtree_control", V2_CONTROLLERS)

    def _prepare_cpuset(self, folder: Path) -> None:
        """A new v1 cpuset is empty, and an empty one takes no process."""
        for name in ("cpuset.cpus", "cpuset.mems"):
            if self.version == 1 and (folder / name).exists() and not (folder / name).read_text().strip():
                _write(folder / name, (folder.parent / name).read_text().strip())

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
