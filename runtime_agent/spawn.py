"""Starting things in a sandbox: its first process, terminals, and single commands.

``create_container`` and ``open_terminal`` leave a conmon behind that outlives the agent; ``run`` (execute.py) waits.
The namespace that crun needs (namespace.enter) has been entered by the caller's process.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import termios
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime_agent import bundle, conmon, conmon_group, launcher, proc, protocol, state
from runtime_agent.errors import AgentError
from runtime_agent.execute import Result, run
from runtime_agent.launcher import Launcher
from runtime_agent.protocol import terminal_codec
from runtime_agent.settings import Settings
from runtime_agent.terminal import PARKED, Terminal, adopt, close

__all__ = ["Result", "Terminal", "adopt", "close", "create_container", "hang_up", "notify_bridge", "open_terminal",
           "park_shell", "run", "start_container"]

SHELL = ["/bin/bash", "--rcfile", "/.bulkhead/etc/bashrc", "-i"]
WAITING_SHELL = ["/.bulkhead/bin/sh", "-c", 'kill -STOP $$; cd "$PWD"; unset OLDPWD SHLVL; exec "$@"', "sh", *SHELL]
"""Becomes SHELL when it is continued, in a home that a lab's set-up may have made anew, with nothing of its own left."""
STOP_SECONDS = 5.0
DEFAULT_SIZE = (24, 80)
CONSOLE_SECONDS = 5.0


def create_container(settings: Settings, name: str, bundle_dir: Path, nice: int = 0) -> conmon.Started:
    """Create the container of ``bundle_dir/config.json`` under a conmon of its own; PID 1 waits to be started.

    Its cgroup, mounts and sub-group ``conmon`` exist already. conmon keeps its files (exit/<name>, log, pids) in
    ``bundle_dir/conmon``. Raises AgentError("start-failed") and leaves no process behind.
    """
    directory = Path(bundle_dir) / "conmon"
    with Launcher(conmon_group.procs(settings.cgroup)) as shell:  # those that wait are for terminals
        return conmon.start(settings, name, directory, [], shell, Path(bundle_dir), nice)


def start_container(settings: Settings, name: str) -> None:
    """Let PID 1 of a created container run. Raises AgentError("start-failed"); the caller deletes."""
    done = _call_runtime(settings, "start", name)
    if done.returncode:
        raise AgentError("start-failed", done.stdout[-500:].decode(errors="replace").strip())


def delete_container(settings: Settings, name: str) -> None:
    """Kill and forget the container, whatever is left of it. Repeats safely. Raises AgentError if the runtime hangs."""
    _call_runtime(settings, "delete", "--force", name)


def _call_runtime(settings: Settings, verb: str, *arguments: str) -> subprocess.CompletedProcess:
    try:
        return subprocess.run([*conmon.runtime_command(settings), verb, *arguments], input=b"",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=conmon.START_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise AgentError("start-failed", f"{settings.runtime} {verb} did not end within {conmon.START_SECONDS:g} s") from None


def open_terminal(settings: Settings, sandbox: Any, number: int, rows: int, cols: int) -> Terminal:
    """Open terminal ``number`` (0..7) in a living sandbox and record it; the one that lives already is returned.

    ``sandbox`` has ``.dir``, ``.spec`` and ``.container``. Raises AgentError("start-failed"), or ProtocolError for
    a number out of range.
    """
    with state.change(sandbox.dir) as current:
        spec = sandbox.spec
        terminal_id = protocol.terminal_id(spec.session_id, number)
        terminals = current.setdefault("terminals", {})
        if str(number) in terminals:
            terminal = Terminal.from_state(terminals[str(number)])
            if terminal.is_alive():
                return terminal
        size = terminal_codec.clamp_size(rows, cols)
        terminal = _wake(current.pop("waiting_shell", None), size) or _spawn(
            conmon.as_made(settings, current), sandbox.container, spec.machine, Path(sandbox.dir) / "terminals" / str(number),
            bundle.process(spec, SHELL, spec.user, {}, True), size)
        terminals[str(number)] = terminal.to_state()
    notify_bridge(settings, terminal_id)
    return terminal


def park_shell(settings: Settings, spec: bundle.Spec, home: Path, nice: int) -> Terminal:
    """A terminal of container ``spec.name`` whose shell is stopped before its first instruction, for ``open_terminal`` to
    wake. Raises AgentError("start-failed"); the caller deletes."""
    terminal = _spawn(settings, spec.name, spec.machine, home / "terminals" / "waiting",
                      bundle.process(spec, WAITING_SHELL, spec.user, {}, True), DEFAULT_SIZE, nice)
    deadline = time.monotonic() + STOP_SECONDS
    while (fields := proc.stat_fields(terminal.pid)) and fields[0] != "T":
        if time.monotonic() > deadline:
            raise AgentError("start-failed", "the waiting shell did not stop")
        time.sleep(0.002)
    return terminal


def _wake(entry: dict[str, Any] | None, size: tuple[int, int]) -> Terminal | None:
    """The terminal of a waiting shell, running; None if there is none or it has ended meanwhile."""
    if entry is None:
        return None
    terminal = replace(Terminal.from_state(entry), opened_at=time.time())
    try:
        master = adopt(terminal)
        try:
            _set_size(master, size)
        finally:
            os.close(master)
        for pid in (terminal.conmon_pid, terminal.pid):  # conmon, which lives, has not reaped it: the pid is nobody else's
            os.setpriority(os.PRIO_PROCESS, pid, 0)
        os.kill(terminal.pid, signal.SIGCONT)
    except (AgentError, ProcessLookupError):
        return None
    return terminal


def hang_up(sandbox: Any, number: int) -> bool:
    """Tell the shell of terminal ``number`` that its line is cut; it ends, and its jobs with it. False if none lives."""
    entry = sandbox.state.get("terminals", {}).get(str(number))
    terminal = Terminal.from_state(entry) if entry else None
    if terminal is None or not terminal.is_alive():
        return False
    with contextlib.suppress(ProcessLookupError):  # conmon, which lives, has not reaped it: the pid is nobody else's
        os.kill(terminal.pid, signal.SIGHUP)
    return True


def _spawn(settings: Settings, name: str, machine: str, directory: Path, process: dict[str, Any],
           size: tuple[int, int], nice: int = 0) -> Terminal:
    """Run ``process`` on a new PTY and park the master in its conmon."""
    directory.mkdir(parents=True, exist_ok=True)
    console = conmon.run_dir(settings) / f"{conmon.CONSOLE}{secrets.token_hex(6)}"
    if len(os.fsencode(console)) > conmon.MAX_SOCKET_PATH_BYTES:
        raise AgentError("start-failed", f"BULKHEAD_RUN_DIR is too long for a socket: {console}")
    console.parent.mkdir(parents=True, exist_ok=True)
    rows, cols = size
    specification = directory / "process.json"
    specification.write_text(json.dumps(process | {"terminal": True,
                                                   "consoleSize": {"height": rows, "width": cols}}))
    ready = Launcher(conmon_group.procs(settings.cgroup)) if nice else launcher.take(settings)  # those are for clicks
    with ready as shell, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(console))
        try:
            listener.listen(1)
            started = conmon.start(
                settings, name, directory, ["--exec", "--exec-process-spec", str(specification),
                                            "--runtime-opt", f"--console-socket={console}"], shell, nice=nice)
            _park(listener, shell.ours, size)
            _set_oom_score(started.pid)
        except (AgentError, OSError) as error:
            conmon.end(directory)
            raise AgentError("start-failed", f"terminal: {error}") from error
        finally:
            console.unlink(missing_ok=True)
        return Terminal(started.conmon_pid, started.conmon_start_ticks, shell.parking.fileno(), started.pid, machine,
                        time.time(), str(directory / "exit"), name)


def _set_oom_score(shell: int) -> None:
    """conmon(8) writes 0 and crun exec 1.8.1 leaves it; the shell hands ours down to all that a student starts."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended already
        Path(f"/proc/{shell}/oom_score_adj").write_text(str(bundle.OOM_SCORE))


def _park(listener: socket.socket, ours: socket.socket, size: tuple[int, int]) -> None:
    """Take the PTY master from the runtime's console connection and leave it, unread, in conmon's socketpair."""
    listener.settimeout(CONSOLE_SECONDS)
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(CONSOLE_SECONDS)
        _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
    if not descriptors:
        raise AgentError("start-failed", "the runtime sent no PTY")
    try:
        _set_size(descriptors[0], size)
        socket.send_fds(ours, [PARKED], descriptors)
    finally:
        os.close(descriptors[0])


def _set_size(master: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


def notify_bridge(settings: Settings, terminal_id: str) -> None:
    """Tell the bridge to look at the state of this terminal; it will find out by itself if it is not there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(terminal_id.encode(), str(conmon.run_dir(settings) / "bridge.sock"))
        except OSError:
            return
