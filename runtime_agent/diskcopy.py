"""Copying a sandbox's disk while it is in use, and back.

The disk is frozen while it is copied, so that the copy lies between two writes. Nobody in the sandbox can write to the
disk meanwhile; reading, typing and printing go on. A reflink takes no time, where the file system can; elsewhere only
what was written is copied, and no more than MAX_COPY_BYTES.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime_agent import mountapi

MAX_COPY_BYTES = 128 << 20
COPY_SECONDS = 20.0
BACK_SECONDS = 60.0
"""For copying back, and for checking the copy: nobody works in the sandbox meanwhile, so there is more time."""
NOT_FROZEN = 3
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
FREEZE_AND_COPY = """
fsfreeze --freeze "$1" || exit 3
cp --preserve=xattr --reflink=always -- "$2" "$3" 2>/dev/null ||
    { [ "$4" = copy ] && cp --preserve=xattr --reflink=never --sparse=auto -- "$2" "$3"; }
status=$?
fsfreeze --unfreeze "$1"
exit $status
"""
"""A process of its own, in a session of its own: it thaws the disk also when we are killed meanwhile. It runs at the common
priority: whoever waits for the disk would wait longer for a process that is put behind all others. The extended
attribute says which version of its image the disk began with (rootfs.IMAGE_ATTRIBUTE)."""


class Skipped(Exception):
    """No point was kept; ``reason`` is one of protocol.POINT_SKIPPED, for the student."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True)
class Source:
    """One machine's disk: the image, and where it is mounted in the agent's namespace."""

    machine: str
    image: Path
    mount: Path


def settle(source: Source) -> None:
    """Write out what is dirty, behind everybody else's work, so that the freeze finds little to do. Only then does the
    image have the size that a copy will have. Raises Skipped."""
    command = ["nice", "-n", "10", "ionice", "-c", "3", "sync", "-f", str(source.mount)]
    try:
        subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, env=PATH, check=False,
                       timeout=COPY_SECONDS)
    except subprocess.TimeoutExpired:
        raise Skipped("failed", f"{source.mount} did not settle within {COPY_SECONDS:g} s") from None


def freeze_and_copy(source: Source, target: Path) -> None:
    """Copy a mounted disk between two of its writes. Raises Skipped."""
    is_small = allocated(source.image) <= MAX_COPY_BYTES
    command = ["/bin/sh", "-c", FREEZE_AND_COPY, "point", str(source.mount), str(source.image), str(target),
               "copy" if is_small else "reflink"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, env=PATH, start_new_session=True, cwd="/")
    try:
        output, _ = child.communicate(timeout=COPY_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        mountapi.thaw(source.mount)
        raise Skipped("failed", f"copying {source.image.name} took longer than {COPY_SECONDS:g} s") from None
    if child.returncode == NOT_FROZEN:
        raise Skipped("failed", output.strip()[-300:])
    if child.returncode:
        if not is_small:
            raise Skipped("too-large", f"{source.image.name} holds more than {MAX_COPY_BYTES >> 20} MiB")
        raise Skipped("disk-full", output.strip()[-300:] or f"status {child.returncode}")


def copy_back(source: Path, target: Path) -> None:
    """A copy that was checked: a disk copied while it was mounted is marked so, and has lost track of open files that
    were deleted. e2fsck(8): up to 2 means that nothing is left to repair. Raises OSError."""
    copied = _run("cp", "--preserve=xattr", "--reflink=auto", "--sparse=auto", "--", str(source), str(target))
    if copied.returncode:
        raise OSError(copied.stderr.strip())
    checked = _run("e2fsck", "-fy", str(target))
    if checked.returncode > 2:
        raise OSError(f"e2fsck: {checked.stdout.strip()[-300:]}")


def _run(*command: str) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, text=True, env=PATH,
                              timeout=BACK_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{command[0]} did not end within {BACK_SECONDS:g} s") from None


def allocated(file: Path) -> int:
    return file.stat().st_blocks * 512
