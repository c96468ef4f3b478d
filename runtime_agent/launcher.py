"""A shell in conmon's control group that becomes a conmon when it is told which, and a few that wait for that.

A conmon must be in its own group before it exists: moving it from outside would race with its first fork. So a shell
joins and then executes it. Forking, joining nine hierarchies and the kernel's grace period before a move cost 10 to
20 ms and depend on nothing that a click decides, so for terminals a few launchers stand ready; without one, a new one
is made on the spot, and nothing else differs.

A launcher reads its orders from a pipe whose other end is ours alone: it ends with this process.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

from runtime_agent import conmon_group
from runtime_agent.settings import Settings


class Launcher:
    """Use it once, in a ``with``. ``report`` is what conmon's _OCI_SYNCPIPE leads to. ``ours`` and ``parking`` are a
    socket pair that conmon inherits under the same numbers and keeps open for life."""

    def __init__(self, procs: Sequence[Path]):
        self.ours, self.parking = socket.socketpair()
        self.report, writer = os.pipe()
        try:
            self.child = subprocess.Popen(
                ["/bin/sh"], stdin=subprocess.PIPE, stdout=2, start_new_session=True, cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "_OCI_SYNCPIPE": str(writer)},
                pass_fds=(writer, self.ours.fileno(), self.parking.fileno()))
        except OSError:
            self._close_files()
            raise
        finally:
            os.close(writer)
        self._order("".join(f"echo 0 >{shlex.quote(str(file))}\n" for file in procs))

    def is_ready(self) -> bool:
        return self.child.poll() is None

    def run(self, command: Sequence[str], log: Path, nice: int = 0) -> None:
        """Become ``command``, with ``log`` as its output; all it starts runs at ``nice``."""
        if nice:  # here and not in the thread, whose nice value would hold up all that wait for its GIL
            os.setpriority(os.PRIO_PROCESS, self.child.pid, nice)
        self._order(f"exec {shlex.join(command)} >{shlex.quote(str(log))} 2>&1\n")
        self.child.stdin.close()

    def _order(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died; the report will be empty
            self.child.stdin.write(text.encode())
            self.child.stdin.flush()

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *_: object) -> None:
        """A child that still lives was not needed, or became a conmon that hangs before it is in the background."""
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self._close_files()
        if self.is_ready():
            self.child.kill()
            self.child.wait()

    def _close_files(self) -> None:
        os.close(self.report)
        self.ours.close()
        self.parking.close()


_ready: defaultdict[str, deque[Launcher]] = defaultdict(deque)
_lock = threading.Lock()


def take(settings: Settings) -> Launcher:
    """One that stands ready, or a new one."""
    with _lock:
        waiting = _ready[settings.cgroup]
        while waiting:
            launcher = waiting.popleft()
            if launcher.is_ready():
                return launcher
            launcher.__exit__()
    return Launcher(conmon_group.procs(settings.cgroup))


def stand_ready(settings: Settings, count: int) -> None:
    """Let ``count`` of them wait from now on."""
    conmon_group.make(settings.cgroup)
    with _lock:
        waiting = _ready[settings.cgroup]
        while len(waiting) > count:
            waiting.pop().__exit__()
        missing = count - len(waiting)
    for _ in range(missing):
        launcher = Launcher(conmon_group.procs(settings.cgroup))
        with _lock:
            waiting.append(launcher)
