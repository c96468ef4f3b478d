"""Running one command in a sandbox to its end: check scripts and set-up.

The command runs through the runtime's ``exec`` with a whole process specification (a bare exec would lose
no_new_privs, rlimits and the OOM score). What the student's machine does to it is a ``Result``; only failure of
the machinery is an AgentError.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime_agent import bundle, conmon, proc
from runtime_agent.errors import AgentError
from runtime_agent.settings import Settings

MAX_OUTPUT_BYTES = 64 * 1024
KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Result:
    """``status`` is the exit status (128 + n for signal n), ``output`` both streams in order of arrival, cut."""

    status: int
    output: str
    timed_out: bool


def run(settings: Settings, sandbox: Any, argv: Sequence[str], user: str, timeout: float,
        stdin: bytes | str | None = None, env: Mapping[str, str] | None = None,
        max_output: int = MAX_OUTPUT_BYTES) -> Result:
    """Run ``argv`` as ``user`` in a living sandbox, for at most ``timeout`` seconds.

    At the time limit the command, its session and its descendants are killed. A process that it leaves behind on
    purpose may live on; it does not delay the return. Raises AgentError("start-failed") if there is no sandbox to
    run in.
    """
    settings = conmon.as_made(settings, sandbox.state)
    process = bundle.process(sandbox.spec, list(argv), user, dict(env or {}), False)
    with tempfile.TemporaryDirectory(prefix="run-", dir=sandbox.dir) as directory:
        return run_process(settings, sandbox.container, process, Path(directory), timeout, stdin, max_output)


def run_process(settings: Settings, name: str, process: dict[str, Any], directory: Path, timeout: float,
                stdin: bytes | str | None, max_output: int) -> Result:
    specification, pid_file = directory / "process.json", directory / "pid"
    specification.write_text(json.dumps(process | {"terminal": False}))
    command = [*conmon.runtime_command(settings), "exec", "--pid-file", str(pid_file),
               "--process", str(specification), name]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True, cwd="/")
    conversation = _Conversation(child, stdin.encode() if isinstance(stdin, str) else stdin or b"", max_output)
    try:
        timed_out = not conversation.hold(timeout)
        if timed_out:
            _kill_inside(pid_file)
            if not conversation.hold(KILL_SECONDS):
                child.kill()
    finally:
        conversation.close()
    status = child.wait(KILL_SECONDS)
    output = bytes(conversation.output).decode(errors="replace")
    if not pid_file.exists():
        raise AgentError("start-failed", output[-500:].strip() or f"{settings.runtime} exec: status {status}")
    return Result(128 - status if status < 0 else status, output, timed_out)


def _kill_inside(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    proc.kill_session(pid)


class _Conversation:
    """Feeds stdin and collects output until the runtime's exec has ended, whoever still holds the pipe."""

    def __init__(self, child: subprocess.Popen, stdin: bytes, max_output: int):
        self.child, self.stdin, self.max_output = child, memoryview(stdin), max_output
        self.output = bytearray()
        self.pidfd = os.pidfd_open(child.pid)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.pidfd, selectors.EVENT_READ)
        for pipe, events in ((child.stdout, selectors.EVENT_READ), (child.stdin, selectors.EVENT_WRITE)):
            os.set_blocking(pipe.fileno(), False)
            self.selector.register(pipe, events)

    def hold(self, seconds: float) -> bool:
        """Go on until the child has ended (True) or the time is over (False)."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = {key.fileobj for key, _ in self.selector.select(left)}
            if self.child.stdin in ready:
                self._feed()
            if self.child.stdout in ready or self.pidfd in ready:
                self._collect()
            if self.pidfd in ready:
                return True
        return False

    def _feed(self) -> None:
        try:
            self.stdin = self.stdin[os.write(self.child.stdin.fileno(), self.stdin[:65536]):]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.stdin = self.stdin[:0]
        if not self.stdin:
            self.selector.unregister(self.child.stdin)
            self.child.stdin.close()

    def _collect(self) -> None:
        """Read what is there now, at most 1 MiB so that a flood cannot keep the deadline from being seen."""
        if self.child.stdout.closed:
            return
        for _ in range(16):
            try:
                chunk = os.read(self.child.stdout.fileno(), 65536)
            except BlockingIOError:
                return
            if not chunk:
                self.selector.unregister(self.child.stdout)
                self.child.stdout.close()
                return
            self.output += chunk[:max(0, self.max_output - len(self.output))]

    def close(self) -> None:
        self.selector.close()
        os.close(self.pidfd)
        for pipe in (self.child.stdin, self.child.stdout):
            pipe.close()
