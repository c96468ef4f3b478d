"""``python -m runtime_agent doctor``: what this host can and cannot do for sandboxes, each with its remedy.

Looks first, then proves: a sandbox is made with every runtime that is installed. Changes nothing that stays.
Exit status 1 if a line says FAIL.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runtime_agent import cgroup, images, namespace, proc, rootfs, sandbox, selftest, slots
from runtime_agent.conmon import PATH, installed_runtimes
from runtime_agent.settings import Settings

PROGRAMS = {"conmon": "conmon", "catatonit": "catatonit", "busybox": "busybox-static", "mkfs.ext4": "e2fsprogs",
            "mmdebstrap": "mmdebstrap"}
"""program -> Debian package."""
PTYS_PER_SANDBOX = 8
GIB = 1 << 30


@dataclass(frozen=True)
class Line:
    """``verdict`` is PASS, CAUTION or FAIL; ``fix`` is a command or a sentence."""

    verdict: str
    name: str
    found: str
    fix: str = ""


def main(settings: Settings, arguments: list[str]) -> int:
    if arguments:
        print("usage: doctor (no arguments)", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("the agent's doctor needs root: sudo ./lab doctor", file=sys.stderr)
        return 2
    print()
    verdicts = []
    for line in lines(settings):
        print(f"  {line.verdict:7}  {line.name:20}  {line.found}", flush=True)
        if line.fix and line.verdict != "PASS":
            print(f"  {'':7}  {'':20}  -> {line.fix}")
        verdicts.append(line.verdict)
    return 1 if "FAIL" in verdicts else 0


def lines(settings: Settings) -> Iterator[Line]:
    """Every check, the quick ones first."""
    yield programs()
    yield control_groups()
    yield disk(settings)
    yield capacity(settings)
    yield terminals(settings)
    yield id_ranges(settings)
    yield image(settings)
    yield leftovers(settings)
    if images.installed(settings):
        yield from runtimes(settings)


def programs() -> Line:
    absent = [package for name, package in PROGRAMS.items() if shutil.which(name, path=PATH) is None]
    if absent:
        return Line("FAIL", "Programs", f"missing: {' '.join(absent)}", f"apt-get install {' '.join(absent)}")
    return Line("PASS", "Programs", " ".join(PROGRAMS))


def control_groups() -> Line:
    version = cgroup.version()
    if version == 2:
        found = set((cgroup.ROOT / "cgroup.controllers").read_text().split())
    else:
        found = {entry.name for entry in cgroup.ROOT.iterdir() if entry.is_dir()}
    lacking = sorted({"memory", "pids", "cpu"} - found)
    if lacking:
        return Line("FAIL", "Control groups", f"version {version} without {' '.join(lacking)}",
                    "boot with these controllers on: limits would not hold")
    return Line("PASS", "Control groups", f"version {version}: memory pids cpu")


def disk(settings: Settings) -> Line:
    free = shutil.disk_usage(_existing(settings.agent_dir)).free
    found = f"{free / GIB:.1f} GiB free for sandboxes"
    if free < rootfs.FREE_BYTES_WATERMARK:
        return Line("FAIL", "Disk", found, f"below {rootfs.FREE_BYTES_WATERMARK / GIB:.0f} GiB no sandbox is started")
    if free < 3 * rootfs.FREE_BYTES_WATERMARK:
        return Line("CAUTION", "Disk", found, "sandboxes are refused below "
                                              f"{rootfs.FREE_BYTES_WATERMARK / GIB:.0f} GiB")
    return Line("PASS", "Disk", found)


def capacity(settings: Settings) -> Line:
    return Line("PASS", "Capacity", f"{settings.capacity} sandboxes at a time (BULKHEAD_CAPACITY), "
                                    f"{settings.warm} spares of each lab in use (BULKHEAD_WARM)")


def terminals(settings: Settings) -> Line:
    limit = int(Path("/proc/sys/kernel/pty/max").read_text())
    wanted = settings.capacity * PTYS_PER_SANDBOX
    if limit < wanted:
        return Line("CAUTION", "Terminals", f"kernel.pty.max is {limit}", f"sysctl -w kernel.pty.max={wanted + 1024}")
    return Line("PASS", "Terminals", f"kernel.pty.max is {limit}")


def id_ranges(settings: Settings) -> Line:
    """Our ranges must be nobody else's: no user, no line of subuid(5)."""
    first, last = slots.base_of(settings.slot_base), slots.base_of(settings.slot_base + settings.capacity + 1)
    for name in ("/etc/subuid", "/etc/subgid"):
        for line in _read(Path(name)).splitlines():
            fields = line.split(":")
            if len(fields) == 3 and int(fields[1]) < last and int(fields[1]) + int(fields[2]) > first:
                return Line("FAIL", "User ids", f"{name} gives {fields[1]} to {fields[0]}",
                            "set BULKHEAD_SLOT_BASE to another range")
    return Line("PASS", "User ids", f"from {first}, 65536 for each sandbox")


def image(settings: Settings) -> Line:
    found = images.installed(settings)
    if selftest.IMAGE not in found:
        return Line("CAUTION", "Images", " ".join(found) or "none yet", "sudo ./lab up builds the image base")
    return Line("PASS", "Images", " ".join(found))


def leftovers(settings: Settings) -> Line:
    """Sandboxes on the disk whose first process is gone; the running agent takes them away within a minute."""
    dead = []
    for home in settings.sandboxes_dir.glob("*/*/"):
        box = sandbox.Sandbox(settings, None, home)
        if not proc.is_alive(box.init_pid, box.state.get("init_start_ticks", 0)):
            dead.append(home.parent.name)
    if dead:
        return Line("CAUTION", "Leftovers", f"{len(dead)} dead sandboxes",
                    "the running agent removes them within a minute; ./lab up starts it")
    return Line("PASS", "Leftovers", "none")


def runtimes(settings: Settings) -> Iterator[Line]:
    """A sandbox of each installed runtime; one that holds is enough."""
    namespace.enter(settings)
    if settings.standard_runtime:
        yield gvisor_line(replace(settings, runtime=settings.standard_runtime))
    installed = installed_runtimes()
    if not installed:
        yield Line("FAIL", "Runtime", "none", "apt-get install crun")
        return
    outcomes = [selftest.test(replace(settings, runtime=name)) for name in installed]
    needed = "FAIL" if not any(outcome.holds for outcome in outcomes) else "CAUTION"
    for outcome in outcomes:
        if outcome.holds:
            yield Line("PASS", f"Self-test {outcome.runtime}", f"a sandbox holds ({outcome.milliseconds} ms)")
        else:
            fault = "FAIL" if settings.runtime == outcome.runtime else needed
            yield Line(fault, f"Self-test {outcome.runtime}", "; ".join(outcome.faults)[:500],
                       "the agent takes another runtime by itself" if fault == "CAUTION" else "")


def gvisor_line(settings: Settings) -> Line:
    """Standard labs have another runtime to fall back on, so a fault here stops nobody."""
    outcome = selftest.test(settings)
    if outcome.holds:
        return Line("PASS", f"Self-test {outcome.runtime}", f"a sandbox holds ({outcome.milliseconds} ms), for standard labs")
    return Line("CAUTION", f"Self-test {outcome.runtime}", "; ".join(outcome.faults)[:500],
                "BULKHEAD_STANDARD_RUNTIME has no effect: standard labs run as all others")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
