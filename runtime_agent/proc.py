"""Which process a remembered pid means.

A pid alone is not an identity: after a restart of anything the kernel may have given it to somebody else. So
every remembered pid travels with its start time in clock ticks (field 22 of /proc/<pid>/stat, proc(5)), and
signals go through a pidfd taken before the comparison.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the 3rd on (state is [0]); None if there is no such process.

    The command name may hold spaces and brackets, so the line is cut behind its last bracket.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return line.rpartition(")")[2].split()


def start_ticks(pid: int) -> int | None:
    """When ``pid`` was started, in clock ticks since boot; None if it is gone or a zombie."""
    fields = stat_fields(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return int(fields[19])


def arguments(pid: int) -> list[str]:
    """Its command line; empty for one that has ended or never had any."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="replace") for part in line.split(b"\0")[:-1]]


def is_alive(pid: int, ticks: int) -> bool:
    """Is ``pid`` still the process that was started at ``ticks``?"""
    return bool(pid) and start_ticks(pid) == ticks


def open_pidfd(pid: int, ticks: int) -> int | None:
    """A pidfd of exactly that process (close it), or None if it has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if is_alive(pid, ticks):
        return descriptor
    os.close(descriptor)
    return None


def kill(pid: int, ticks: int, number: int = signal.SIGKILL) -> bool:
    """Signal exactly that process; False if it had ended already."""
    descriptor = open_pidfd(pid, ticks)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def kill_session(leader: int) -> None:
    """SIGKILL every process whose session or ancestor is ``leader``, until none is left to find.

    Repeated because a process may fork between the look and the kill; a daemon that left both the session and
    the family belongs to the sandbox and ends with it.
    """
    for _ in range(20):
        members = _family(leader)
        if not [pid for pid, ticks in members if kill(pid, ticks)]:
            return


def _family(leader: int) -> list[tuple[int, int]]:
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    found = {leader}
    for entry in os.listdir("/proc"):
        fields = stat_fields(int(entry)) if entry.isdigit() else None
        if fields is None or fields[0] in "ZX":
            continue
        pid = int(entry)
        parents[pid], ticks[pid] = int(fields[1]), int(fields[19])
        if int(fields[3]) == leader:
            found.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return [(pid, ticks[pid]) for pid in found if pid in ticks]
