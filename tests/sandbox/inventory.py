"""Everything that sandboxes take of a host, to be compared before and after."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime_agent import cgroup, conmon, namespace, network, slots
from runtime_agent.settings import Settings


def inventory(host: Settings, pid: int | str = "self") -> dict[str, Any]:
    """Everything that sandboxes take of this host, by name; mounts and descriptors are those of the process ``pid``.
    Network namespaces are held by processes, descriptors and mounts only."""
    folders = [host.sandboxes_dir, host.spares_dir, host.disks_dir, namespace.VIEW, network.SWITCHES, host.agent_dir,
               *(conmon.run_dir(host) / name for name in ("", "runtime", "conmon"))]
    return {
        "mounts": sorted(line.split()[4] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()),
        "loop devices": sorted(path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")
                               if str(host.state_dir) in path.read_text()),
        "cgroups": sorted(str(path) for top in cgroup.Group(host.cgroup).folders() for path in top.rglob("*/")),
        "slots": sorted(slots.leased(host).items()),
        "processes": processes(host),
        "network namespaces": sorted(living_networks(host)),
        "files": sorted(str(path) for folder in folders if in_view(folder, pid).exists() for path in in_view(folder, pid).iterdir()),
        "descriptors": Counter(descriptors(pid)),
    }


def in_view(folder: Path, pid: int | str) -> Path:
    """The folder as that process sees it, which may have mounts of its own."""
    return Path(f"/proc/{pid}/root{folder}")


def processes(host: Settings) -> set[int]:
    """Ours by their command line (conmon) and by their control group (everything inside)."""
    found = set(cgroup.Group(host.cgroup).pids())
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if os.fsencode(host.run_dir) in line or os.fsencode(host.state_dir) in line:
            found.add(int(entry.parent.name))
    return found - {os.getpid()}


def living_networks(host: Settings) -> set[str]:
    """Those of processes with ids of ours: the kernel gives the number of a dead one to the next."""
    ours = range(slots.base_of(host.slot_base), slots.base_of(host.slot_base + 100))
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            first = (entry / "uid_map").read_text().split()
            if first and int(first[1]) in ours:
                found.add(os.readlink(entry / "ns" / "net"))
        except OSError:
            continue
    return found


def descriptors(pid: int | str) -> Iterator[str]:
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}").partition(":[")[0]
        except OSError:  # that of the listing itself
            continue


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    """What of each sort has come and gone, with a sign."""
    found = {}
    for name in after:
        had, has = Counter(before[name]), Counter(after[name])
        if had != has:
            found[name] = [f"+{item}" for item in has - had] + [f"-{item}" for item in had - has]
    return found
