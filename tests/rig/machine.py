"""QEMU around the rig: a second disk with the project and the job, one run, its exit status.

The processor is emulated: no test depends on what virtualization a host offers. Two are given, as to a small worker
host. What the guest writes goes to a file of QEMU's that is deleted already when it starts.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.lab.ground import NOT_COPIED

PROJECT = Path(__file__).resolve().parent.parent.parent
QEMU = "qemu-system-x86_64"
MEMORY_MIB = 4096
PROCESSORS = 2
PROJECT_DISK_MIB = 128
END = re.compile(r"rig: \S+ s after the start: status (\d+)")


def run(files: Path, job: str, seconds: float) -> tuple[int, str]:
    """Boot, run the shell script ``job`` in the project's folder, print what it prints as it comes.

    Returns the exit status of the job and the output; 1 where the machine ended without one or ``seconds`` were over.
    """
    with tempfile.TemporaryDirectory(prefix="rig-", dir=files.parent) as folder:
        disk = _project_disk(Path(folder), job)
        child = subprocess.Popen(_command(files, disk), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": folder})
        try:
            return follow(child, time.monotonic() + seconds)
        finally:
            child.kill()
            child.wait()


def _command(files: Path, disk: Path) -> list[str]:
    return [QEMU, "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(PROCESSORS), "-m", f"{MEMORY_MIB}M",
            "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-kernel", str(files / "vmlinuz"),
            "-initrd", str(files / "initrd"), "-append", "console=ttyS0 loglevel=1 panic=-1 mitigations=off",
            "-drive", f"file={files / 'system.ext4'},format=raw,if=virtio,snapshot=on",
            "-drive", f"file={disk},format=raw,if=virtio,readonly=on"]


def _project_disk(folder: Path, job: str) -> Path:
    tree, disk = folder / "project", folder / "project.ext4"
    shutil.copytree(PROJECT, tree, ignore=NOT_COPIED, symlinks=True)
    (tree / "rig-job").write_text(job)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(tree), str(disk), f"{PROJECT_DISK_MIB}M"],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True)
    shutil.rmtree(tree)
    return disk


def follow(child: subprocess.Popen, deadline: float) -> tuple[int, str]:
    lines = []
    for line in _lines(child, deadline):
        print(line, flush=True)
        lines.append(line)
    output = "\n".join(lines)
    found = END.search(output)
    if not found:
        why = "its time was over" if time.monotonic() >= deadline else f"QEMU ended with status {child.wait()}"
        print(f"rig: the machine did not finish its job: {why}", flush=True)
    return int(found[1]) if found else 1, output


def _lines(child: subprocess.Popen, deadline: float) -> Iterator[str]:
    """Lines as they come, until the end or the deadline."""

    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                return
            data = os.read(child.stdout.fileno(), 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in lines)
    if rest:
        yield rest.decode(errors="replace")
