"""The peer of a start: `podman run -it --network=none` over the tree that our sandboxes have, to its first prompt."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.student import PROMPT

Podman = Callable[[int], list[float]]
"""Starts so many containers together; milliseconds to each one's prompt."""


@contextlib.contextmanager
def outside(tree: Path) -> Iterator[Podman | None]:
    """Podman over this root tree, from a process that stays in the present mount namespace; None without one that works."""
    command = command_for(tree) if shutil.which("podman") else None
    if command is None:
        yield None
        return
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ask)
        while count := os.read(asked, 1):
            with ThreadPoolExecutor(count[0]) as threads:
                taken = [f"{ms:f}" for ms in threads.map(run, [command] * count[0])]
            os.write(answer, " ".join(taken).encode())
        os._exit(0)
    os.close(asked)
    os.close(answer)

    def start(count: int) -> list[float]:
        os.write(ask, bytes([count]))
        return [float(ms) for ms in (os.read(answered, 4096) or sys.exit("podman did not bring a prompt")).split()]

    try:
        yield start
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def command_for(tree: Path) -> list[str] | None:
    """With podman's own runtime, or with runc where that one does not start (crun refuses hybrid cgroups); None, and why
    is said, if neither does. Without limits named, podman wants more than a host without CAP_SYS_RESOURCE may give."""
    limits = ["--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:8192"]
    for runtime in ([], ["--runtime=runc"]):
        command = ["podman", "run", "--rm", *runtime, *limits, "--network=none", "--env", r"PS1=\[\e]133;B\a\]$ "]
        tried = subprocess.run([*command, "--rootfs", f"{tree}:O", "/bin/true"], capture_output=True, text=True, timeout=60)
        if tried.returncode == 0:
            return [*command, "-it", "--rootfs", f"{tree}:O", "/bin/bash", "--norc", "-i"]
        print(f"{' '.join(command)}: {tried.stderr.strip()}", file=sys.stderr)
    return None


def run(command: list[str]) -> float:
    """Milliseconds to the prompt of a shell in a new container, which is removed again."""
    master, slave = pty.openpty()
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        wait_for(master, PROMPT)
        return (time.perf_counter() - began) * 1000
    finally:
        os.write(master, b"exit\r")
        child.wait(30)
        os.close(master)


def wait_for(master: int, what: bytes) -> None:
    seen = b""
    while what not in seen:
        if not select.select([master], [], [], 20)[0]:
            raise SystemExit(f"no prompt within 20 s; seen: {seen!r}")
        seen += os.read(master, 4096)
