"""Ending a container by its name: processes, the runtime's memory of it, mounts, cgroup.

Everything here repeats safely, works with nothing alive or half of it there, and must never look at what is inside.
Whose container it is, and whether its disk is kept, is for sandbox.py and pool.py to know.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime_agent import cgroup, conmon, mountapi, proc, rootfs, slots, spawn, state
from runtime_agent.settings import Settings


def dismantle(settings: Settings, name: str, home: Path) -> None:
    """End container ``name`` with every process that ``home`` knows of; the disk and the ids stay.

    Raises AgentError if a process can't be ended within 10 s.
    """
    control = cgroup.of_container(settings.cgroup, name)
    conmons = _conmons(home)
    mountapi.thaw(rootfs.disk_mount(name))  # nobody who waits for a frozen disk can be killed
    control.kill()
    if conmon.is_known(settings, name):
        spawn.delete_container(settings, name)
    for pid, ticks in conmons:
        proc.kill(pid, ticks)
    for folder in (home / "conmon", *home.glob("terminals/*")):
        conmon.end(folder)
    rootfs.unmount(name)
    control.remove()


def discard_spare(settings: Settings, name: str) -> None:
    """Leave nothing of what was made as spare ``name``, whether a session has claimed it or not."""
    home = settings.spares_dir / name
    settings = conmon.as_made(settings, state.load(home) or {})
    dismantle(settings, name, home)
    rootfs.drop_disk(settings, name)
    slots.release(settings, name)
    shutil.rmtree(home, ignore_errors=True)


def _conmons(home: Path) -> list[tuple[int, int]]:
    """Read before anything is killed: (pid, start time) of every conmon that the state names."""
    current = state.load(home) or {}
    found = [(current.get("conmon_pid", 0), current.get("start_time_ticks", 0))]
    found += [(entry["conmon_pid"], entry["conmon_start_ticks"]) for entry in current.get("terminals", {}).values()]
    return [(pid, ticks) for pid, ticks in found if pid]
