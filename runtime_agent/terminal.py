"""A terminal as the agent knows it: a conmon that owns the PTY master, and how to get a duplicate of it.

conmon inherited both ends of a socketpair; one message lies in it, unread, that carries the PTY master
(docs/adr/0001). ``adopt`` reaches into conmon for the reading end, peeks at that message and so receives a
duplicate, any number of times, from any root process of the host. Nothing here may ever *take* the message: the
parked descriptor is what keeps the student's shell alive while no bridge runs.
"""

from __future__ import annotations

import array
import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime_agent import proc, protocol, state
from runtime_agent.errors import AgentError

PARKED = b"pty"
_SYS_PIDFD_GETFD = 438
"""pidfd_getfd(2), the same number on every architecture; neither glibc 2.36 nor Python has a wrapper."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Terminal:
    """One entry ``terminals[n]`` of a sandbox's state; ``pid`` is the shell, seen from the host."""

    conmon_pid: int
    conmon_start_ticks: int
    parked_fd: int
    pid: int
    machine: str
    opened_at: float
    exit_dir: str
    container: str

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, entry: dict[str, Any]) -> Terminal:
        return cls(**{name: entry[name] for name in cls.__dataclass_fields__})

    def is_alive(self) -> bool:
        return proc.is_alive(self.conmon_pid, self.conmon_start_ticks)

    def exit_status(self) -> int | None:
        """What the shell ended with (128 + n for signal n), or None if conmon has not written it (yet)."""
        try:
            return int((Path(self.exit_dir) / self.container).read_text())
        except (OSError, ValueError):
            return None


def sandboxes_dir(settings: Any) -> Path:
    return Path(settings.state_dir) / "agent" / "sandboxes"


def find(settings: Any, terminal_id: str) -> Terminal | None:
    """The recorded terminal with that id, alive or not; None if no sandbox of this host has it."""
    session_id, number = protocol.split_terminal_id(terminal_id)
    found = _in_session(sandboxes_dir(settings) / session_id)
    return dict(found).get(number)


def recorded(settings: Any) -> Iterator[tuple[str, Terminal]]:
    """(terminal id, terminal) for every one recorded on this host, alive or not."""
    try:
        sessions = sorted(os.listdir(sandboxes_dir(settings)))
    except FileNotFoundError:
        return
    for session_id in sessions:
        for number, terminal in _in_session(sandboxes_dir(settings) / session_id):
            yield f"{session_id}.{number}", terminal


def _in_session(directory: Path) -> Iterator[tuple[int, Terminal]]:
    for file in sorted(directory.glob(f"*/{state.FILE}")):
        entries = (state.load(file.parent) or {}).get("terminals", {})
        for number, entry in entries.items():
            yield int(number), Terminal.from_state(entry)


def adopt(terminal: Terminal) -> int:
    """A duplicate of the terminal's PTY master, non-blocking (for every holder: the flag is the open file's).

    Raises AgentError("stopped") if its conmon has ended. Repeats safely.
    """
    pidfd = proc.open_pidfd(terminal.conmon_pid, terminal.conmon_start_ticks)
    if pidfd is None:
        raise AgentError("stopped", "the terminal has ended")
    try:
        descriptor = _libc.syscall(_SYS_PIDFD_GETFD, pidfd, terminal.parked_fd, 0)
        if descriptor < 0:
            raise AgentError("stopped", f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        with socket.socket(fileno=descriptor) as parked:
            master = _peek(parked)
    finally:
        os.close(pidfd)
    os.set_blocking(master, False)
    return master


def _peek(parked: socket.socket) -> int:
    """socket.recv_fds of Python 3.11 ignores flags, so the control message is taken apart here."""
    flags = socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    descriptors = array.array("i")
    _, ancillary, _, _ = parked.recvmsg(len(PARKED), socket.CMSG_SPACE(descriptors.itemsize), flags)
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[:descriptors.itemsize])
            return descriptors[0]
    raise AgentError("stopped", "nothing is parked in the terminal's conmon")


def close(terminal: Terminal) -> None:
    """End a terminal: its shell gets SIGHUP as if the line were cut, then conmon goes. Repeats safely."""
    proc.kill(terminal.conmon_pid, terminal.conmon_start_ticks, signal.SIGKILL)
