"""What an attack could have changed on the host, taken down for comparison. Only what is ours or the host's own: other
sandboxes may come and go on this machine meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, fields
from pathlib import Path

from runtime_agent import images, sandbox, slots

HOST_ROOT = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
HOST_MOUNTS = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
"""Opened while this process is still in the host's mount namespace; both stay a view of that one."""
SYSCTLS = ("kernel/core_pattern", "kernel/modprobe", "kernel/sysrq", "vm/overcommit_memory", "fs/suid_dumpable",
           "kernel/unprivileged_bpf_disabled", "fs/file-max")
COLLECT_SECONDS = 5.0
SLOTS = 64
"""More than the tests of one run ever lease at a time."""


@dataclass(frozen=True)
class HostView:
    """Each field is one claim: it must be the same before and after."""

    mounts: list[str]
    host_name: str
    null_device: tuple[int, int, int]
    cgroups: list[str]
    loop_devices: list[str]
    processes: list[str]
    traced: list[str]
    sysctls: dict[str, str]
    packet_filter: str
    image_digest: str
    disks: list[str]
    leases: dict[int, str]
    view: list[str]

    @classmethod
    def parts(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    @classmethod
    def take(cls, settings) -> HostView:
        null = os.stat("dev/null", dir_fd=HOST_ROOT)
        return cls(
            mounts=os.pread(HOST_MOUNTS, 1 << 20, 0).decode().splitlines(), host_name=socket.gethostname(),
            null_device=(null.st_uid, null.st_gid, null.st_mode), cgroups=_cgroups(settings),
            loop_devices=_loops(settings), processes=processes(settings), traced=_traced(),
            sysctls={name: path.read_text() for name in SYSCTLS if (path := Path("/proc/sys") / name).exists()},
            packet_filter=_packet_filter(),
            image_digest=image_digest(settings), disks=sorted(path.name for path in settings.disks_dir.glob("*")),
            leases=slots.leased(settings), view=sorted(path.name for path in sandbox.rootfs.VIEW.iterdir()))


def processes(settings) -> list[str]:
    """Whatever runs under an id of ours, as "pid command line". One without a command line is dead, and its parent is given
    time to collect it."""
    deadline = time.monotonic() + COLLECT_SECONDS
    while any(line.endswith(" b''") for line in _processes(settings)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return _processes(settings)


def _processes(settings) -> list[str]:
    first, end = slots.base_of(settings.slot_base), slots.base_of(settings.slot_base + SLOTS)
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and first <= entry.stat().st_uid < end:
                found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
    return sorted(found)


def _traced() -> list[str]:
    """Processes of the host's own ids that somebody traces."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            if "TracerPid:\t0\n" not in text and status.stat().st_uid < slots.FIRST_ID:
                found.append(text.splitlines()[0])
    return found


def _cgroups(settings) -> list[str]:
    return sorted(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{settings.cgroup}/*") if path.name != "conmon"
                  and path.is_dir())


def _loops(settings) -> list[str]:
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if str(settings.state_dir) in (text := file.read_text()):
                found.append(text)
    return sorted(found)


def _packet_filter() -> str:
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")
    return subprocess.run([nft, "list", "ruleset"], capture_output=True, text=True).stdout if nft else "no nft here"


def image_digest(settings) -> str:
    """Over every name, owner, mode and byte of the shared image."""
    digest, root = hashlib.sha256(), images.layers(settings, images.current(settings, "base"))[0]
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        digest.update(f"{path}{status.st_uid}:{status.st_gid}:{status.st_mode:o}".encode(errors="surrogateescape"))
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()
