"""Starting conmon(8), the small process that owns a container or an exec session and outlives the agent.

This module owns conmon's command line, its cgroup and the one-line report it gives when the runtime is done.
It knows nothing of terminals or state files.

conmon must not die with its starter, so it has a session of its own and is in ``<BULKHEAD_CGROUP>/conmon`` before it
forks (launcher.py; the sub-group is made by conmon_group.py, a hierarchy without it is left alone). It must not get /dev/null of
the host as stdio: crun fchowns whatever it finds there.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime_agent import gvisor, proc, sealed
from runtime_agent.errors import AgentError
from runtime_agent.launcher import Launcher
from runtime_agent.settings import RUNTIMES, Settings

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 20.0
CONSOLE, LINK = "console-", "c-"
"""Names of what lies in the run folder while a start is under way: a terminal's console socket, conmon's link."""
STALE_SECONDS = 60.0
"""No start takes as long: what is older is of a process that was killed meanwhile."""
LOG_BYTES = 64 * 1024
MAX_SOCKET_PATH_BYTES = 107
"""sun_path of unix(7), without its zero byte."""


@dataclass(frozen=True)
class Started:
    """A conmon that has reported, and the process inside that it watches."""

    conmon_pid: int
    conmon_start_ticks: int
    pid: int


def as_made(settings: Settings, found: dict[str, Any]) -> Settings:
    """Only the runtime that made a container knows it, by the state ``found``; other sandboxes may have another."""
    return replace(settings, runtime=found.get("runtime", settings.runtime))


def runtime_command(settings: Settings) -> list[str]:
    """The runtime with its global options, as every direct call needs them."""
    return [_program(settings), *_runtime_options(settings)]


def _program(settings: Settings) -> str:
    """runsc is nobody's to overwrite: no container of it executes or sees it, and it is large."""
    path = runtime_path(settings)
    return path if settings.runtime == gvisor.RUNTIME else sealed.program(path)


def installed_runtimes() -> list[str]:
    """Which of settings.RUNTIMES this host has, in their order."""
    return [name for name in RUNTIMES if shutil.which(name, path=PATH)]


def runtime_path(settings: Settings) -> str:
    """Before a runtime is chosen ("auto") it is the first that is installed. Raises AgentError("start-failed")."""
    for name in RUNTIMES if settings.runtime == "auto" else (settings.runtime,):
        if path := shutil.which(name, path=PATH):
            return path
    raise AgentError("start-failed", f"there is no {settings.runtime} on this host")


def _runtime_options(settings: Settings) -> list[str]:
    if settings.runtime == gvisor.RUNTIME:
        return [f"--root={run_dir(settings) / gvisor.RUNTIME}", *gvisor.OPTIONS]
    options = [f"--root={run_dir(settings) / 'runtime'}"]
    if Path(runtime_path(settings)).name == "crun":
        options.append("--cgroup-manager=cgroupfs")
    return options


def is_known(settings: Settings, name: str) -> bool:
    """Does the runtime remember a container of that name?"""
    if settings.runtime == gvisor.RUNTIME:
        return bool(gvisor.state_of(run_dir(settings) / gvisor.RUNTIME, name))
    return (run_dir(settings) / "runtime" / name).exists()


def run_dir(settings: Settings) -> Path:
    return Path(settings.run_dir) / "agent"


def start(settings: Settings, name: str, directory: Path, arguments: Sequence[str],
          launcher: Launcher, bundle_dir: Path | None = None, nice: int = 0) -> Started:
    """Run conmon for container ``name`` with its files in ``directory``; return when the runtime has finished.

    ``arguments`` choose exec instead of create; conmon and all it starts run at ``nice``. Raises
    AgentError("start-failed") with the runtime's own words.
    """
    sockets = run_dir(settings) / "conmon"
    exits = directory / "exit"
    for folder in (directory, exits, sockets):
        folder.mkdir(parents=True, exist_ok=True)
    for leftover in (exits / name, directory / "pid", directory / "conmon.pid"):
        leftover.unlink(missing_ok=True)
    link = f"{LINK}{secrets.token_hex(6)}"
    command = ["conmon", "--api-version", "1", "-c", name, "-n", name, "-u", link, "-r", _program(settings),
               "-b", str(bundle_dir or directory), "-p", str(directory / "pid"),
               "--conmon-pidfile", str(directory / "conmon.pid"),
               "--socket-dir-path", str(sockets), "--exit-dir", str(exits), "--no-sync-log",
               "-l", f"k8s-file:{directory / 'log'}", "--log-size-max", str(LOG_BYTES)]
    for option in _runtime_options(settings):
        command += ["--runtime-arg", option]
    try:
        report = _launch(launcher, [*command, *arguments], directory, nice)
        if not isinstance(report.get("data"), int) or report["data"] <= 0:
            raise AgentError("start-failed", str(report.get("message") or _tail(directory / "conmon.log")))
        return _started(directory, report["data"])
    except AgentError:
        end(directory)
        raise
    finally:  # conmon makes it for a socket that nobody asks for, and leaves it
        (sockets / link).unlink(missing_ok=True)


def clean_up(settings: Settings, now: float) -> None:
    """Remove what starts have left whose process was killed."""
    folder = run_dir(settings)
    for leftover in (*folder.glob(f"{CONSOLE}*"), *(folder / "conmon").glob(f"{LINK}*")):
        with contextlib.suppress(FileNotFoundError):  # it was in use, and is gone by now
            if now - leftover.lstat().st_mtime > STALE_SECONDS:
                leftover.unlink()


def end(directory: Path) -> None:
    """Kill the process that conmon in ``directory`` watches, and conmon itself if that does not end it. Repeats safely."""
    for name in ("pid", "conmon.pid"):
        try:
            pid = int((directory / name).read_text())
        except (OSError, ValueError):
            continue
        ticks = proc.start_ticks(pid)
        if ticks is not None and _names(pid, directory, name):
            proc.kill(pid, ticks)


def _names(pid: int, directory: Path, name: str) -> bool:
    """Does ``pid`` still belong to ``directory``? conmon has its pid file there on its command line; a container's
    process is a child of such a conmon. A pid file may be older than the last reboot."""
    owner = pid
    if name == "pid":
        fields = proc.stat_fields(pid)
        owner = int(fields[1]) if fields else 0
    try:
        return str(directory / "conmon.pid").encode() in Path(f"/proc/{owner}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _launch(launcher: Launcher, command: list[str], directory: Path, nice: int) -> dict:
    """Let ``launcher`` become ``command`` and read the JSON line that conmon writes to _OCI_SYNCPIPE."""
    try:
        launcher.run(command, directory / "conmon.log", nice)
        line = _read_line(launcher.report, START_SECONDS)
        launcher.child.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        raise AgentError("start-failed", "conmon did not go into the background") from None
    try:
        return json.loads(line or b"{}")
    except ValueError:
        raise AgentError("start-failed", f"conmon reported {line[:200]!r}") from None


def _read_line(reader: int, seconds: float) -> bytes:
    """One line from a pipe, or what came until it closed; AgentError when the time is over."""
    deadline, line = time.monotonic() + seconds, b""
    while b"\n" not in line:
        ready, _, _ = select.select([reader], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AgentError("start-failed", f"the runtime did not answer within {seconds:g} s")
        chunk = os.read(reader, 4096)
        if not chunk:
            break
        line += chunk
    return line.partition(b"\n")[0]


def _started(directory: Path, pid: int) -> Started:
    conmon_pid = int((directory / "conmon.pid").read_text())
    ticks = proc.start_ticks(conmon_pid)
    if ticks is None:
        raise AgentError("start-failed", f"conmon ended at once: {_tail(directory / 'conmon.log')}")
    return Started(conmon_pid, ticks, pid)


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-500:].decode(errors="replace").strip()
    except OSError:
        return ""
