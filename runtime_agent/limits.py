"""What a sandbox may use, and the words in which each version of control groups is told so."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime_agent.cgroup import Group

PERIOD_MICROSECONDS = 100_000


@dataclass(frozen=True)
class Limits:
    """What a sandbox may use: bytes, number of processes, CPUs."""

    memory_bytes: int
    pids: int
    cpus: float


def impose(group: Group, limits: Limits) -> None:
    """Set or move the limits. Raises OSError where the kernel refuses: on version 1, memory that is in use."""
    (_impose_v2 if group.version == 2 else _impose_v1)(group, limits)


def _impose_v1(group: Group, limits: Limits) -> None:
    order = memory, swap = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
    file = group.file("memory", swap)
    if file.exists() and int(file.read_text()) < limits.memory_bytes:  # swap counts memory too, and is never the lower one
        order = (swap, memory)
    for name in order:
        if group.file("memory", name).exists():
            group.write("memory", name, limits.memory_bytes)
    group.write("pids", "pids.max", limits.pids)
    group.write("cpu", "cpu.cfs_period_us", PERIOD_MICROSECONDS)
    group.write("cpu", "cpu.cfs_quota_us", int(limits.cpus * PERIOD_MICROSECONDS))


def _impose_v2(group: Group, limits: Limits) -> None:
    """memory.high stays open: whoever is at it is slowed down for minutes, where version 1 ends the one that asks for
    too much at once and it can be told why."""
    _give_back(group, limits.memory_bytes)
    group.write("memory", "memory.max", limits.memory_bytes)
    if group.file("memory", "memory.swap.max").exists():
        group.write("memory", "memory.swap.max", 0)
    group.write("pids", "pids.max", limits.pids)
    group.write("cpu", "cpu.max", f"{int(limits.cpus * PERIOD_MICROSECONDS)} {PERIOD_MICROSECONDS}")


def _give_back(group: Group, memory_bytes: int) -> None:
    """Refuse, as version 1 does, a limit below what is in use and can't be written out: version 2 would kill for it."""
    current = group.file("memory", "memory.current")
    used = int(current.read_text())
    if used > memory_bytes:
        with contextlib.suppress(BlockingIOError):  # a part of it only
            group.write("memory", "memory.reclaim", used - memory_bytes)
        if int(current.read_text()) > memory_bytes:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(group.file("memory", "memory.max")))
