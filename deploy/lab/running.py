"""Which processes of ours run in these places: noted in a file, so that they are found when their supervisor was killed.

A pid alone could be somebody else's by now, so each stands there with its start time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.lab.places import Places, SetupError

SUPERVISOR_SECONDS = 120.0
"""It gives each of its services 15 s, one after the other."""
SERVICE_SECONDS = 15.0
Process = tuple[int, int | None]
"""A pid, and when it started."""


def note(places: Places, services: Sequence[int] = ()) -> None:
    """This process is the supervisor, of ``services``. In one step: it may be killed at any moment."""
    building = _file(places).with_suffix(".new")
    building.write_text(json.dumps({"pid": os.getpid(), "ticks": start_ticks(os.getpid()),
                                    "services": [(pid, start_ticks(pid)) for pid in services]}))
    building.rename(_file(places))


def forget(places: Places) -> None:
    _file(places).unlink(missing_ok=True)


def running_pid(places: Places) -> int | None:
    """The supervisor's, or that of a service which a killed one has left behind; None if nothing runs here."""
    supervisor, services = _noted(places)
    return next((process[0] for process in (supervisor, *services) if _lives(process)), None)


def stop(places: Places) -> bool:
    """End the supervisor, or what is left of a killed one's services; False if nothing ran. SetupError if something stays."""
    if running_pid(places) is None:
        return False
    supervisor, services = _noted(places)
    if _lives(supervisor):
        os.kill(supervisor[0], signal.SIGTERM)
        if not _wait(lambda: _file(places).exists() and _lives(supervisor), SUPERVISOR_SECONDS):
            raise SetupError(f"pid {supervisor[0]} does not end; its log is {places.state / 'log/bulkhead.log'}")
    for process in reversed(services):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if _lives(process):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process[0], number)
                _wait(lambda: _lives(process), SERVICE_SECONDS)  # noqa: B023  (asked at once)
    forget(places)
    return True


def start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat, proc(5); None if it has ended, whether its parent has heard of that or not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _file(places: Places) -> Path:
    return places.run / "supervisor.json"


def _noted(places: Places) -> tuple[Process, list[Process]]:
    try:
        found = json.loads(_file(places).read_text())
    except (OSError, ValueError):
        return (0, None), []
    return (found["pid"], found["ticks"]), [(pid, ticks) for pid, ticks in found.get("services", [])]


def _lives(process: Process) -> bool:
    pid, ticks = process
    return ticks is not None and start_ticks(pid) == ticks


def _wait(is_there, seconds: float) -> bool:
    """Until ``is_there`` is false; False if it is not in time."""
    deadline = time.monotonic() + seconds
    while is_there():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
