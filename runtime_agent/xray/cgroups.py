"""The tree of control groups of a machine, version 1 and 2 in one vocabulary.

The group around ``inner`` carries the limits; the sandbox can't see it, and the kernel's own name for it from inside
is ``/..`` (cgroup_namespaces(7)). On version 1 a group may exist for one controller only, so groups are merged by path.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

from runtime_agent.cgroup import Group
from runtime_agent.xray.reading import read, read_fields, read_number

CONTROLLERS = {"memory": "memory", "cpu": "cpu", "pids": "pids", "io": "blkio"}
"""Our word -> its hierarchy on version 1."""
MAX_GROUPS = 128
NO_LIMIT = 1 << 60
"""Version 1 says "no limit" with a number near 2^63, rounded to pages."""


def collect(group: Group) -> tuple[list[dict[str, Any]], bool]:
    """(the groups in tree order, whether some were left out)."""
    found: dict[str, dict[str, Any]] = {}
    is_cut = False
    for word, hierarchy in CONTROLLERS.items():
        for path, folder in _tree(os.fspath(group.file(hierarchy, ""))):
            if path not in found and len(found) >= MAX_GROUPS:
                is_cut = True
                continue
            entry = found.setdefault(path, _empty(path))
            entry["controllers"].append(word)
            entry["members"] = sorted({*entry["members"], *pids_in(folder)})
            _FILL[word, group.version](entry, folder)
    return [found[path] for path in sorted(found, key=_order)], is_cut


def pids(group: Group) -> list[int]:
    """Every process of the machine, outside; by one hierarchy, because each holds them all."""
    return [pid for _, folder in _tree(os.fspath(group.file("pids", ""))) for pid in pids_in(folder)]


def pids_in(folder: str) -> list[int]:
    return [int(line) for line in read(f"{folder}/cgroup.procs").split()]


def paths_of(content: bytes, group: Group) -> dict[str, str] | None:
    """The groups of a process from its /proc/PID/cgroup, by our words; None if it is not of this machine."""
    return _paths_of(content, group.name, group.version)


@functools.lru_cache(maxsize=1024)
def _paths_of(content: bytes, name: str, version: int) -> dict[str, str] | None:
    """Most processes of a machine share one text. The result is shared too: nobody changes it."""
    inside = f"/{name}/inner"
    found = {}
    for line in content.decode("utf-8", "replace").splitlines():
        _, controllers, path = line.split(":", 2)
        if path.startswith(f"/{name}/") or path == f"/{name}":
            below = path.removeprefix(inside) if path.startswith(inside) else "/.."
            for word, hierarchy in CONTROLLERS.items():
                if hierarchy in controllers.split(",") or (version == 2 and not controllers):
                    found[word] = below or "/"
    return {word: found.get(word, "/") for word in CONTROLLERS} if found else None


def _tree(outer: str) -> Iterator[tuple[str, str]]:
    """(path as the sandbox sees it, folder) of every group, parents first. A tree that changes meanwhile is no error."""
    yield "/..", outer
    waiting = [("/", f"{outer}/inner")]
    while waiting:
        path, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        yield path, folder
        waiting += [(f"{path.rstrip('/')}/{name}", f"{folder}/{name}") for name in below]


def _order(path: str) -> tuple[int, str]:
    return (0, "") if path == "/.." else (1, path)


def _empty(path: str) -> dict[str, Any]:
    return {"path": path, "role": {"/..": "limits", "/": "root"}.get(path, ""), "controllers": [], "members": [],
            "memory": {"usage_bytes": 0, "limit_bytes": None, "peak_bytes": None, "at_limit": 0, "oom_kills": 0},
            "cpu": {"usage_seconds": 0.0, "limit_cpus": None, "periods": 0, "throttled_periods": 0,
                    "throttled_seconds": 0.0},
            "pids": {"current": 0, "limit": None, "refused": 0},
            "io": {"read_bytes": 0, "written_bytes": 0}, "pressure": None}


def _limit(number: int | None) -> int | None:
    return None if number is None or number >= NO_LIMIT else number


# --- version 1 --------------------------------------------------------------------------------------------


def _memory_v1(entry: dict[str, Any], folder: str) -> None:
    entry["memory"] = {
        "usage_bytes": read_number(f"{folder}/memory.usage_in_bytes") or 0,
        "limit_bytes": _limit(read_number(f"{folder}/memory.limit_in_bytes")),
        "peak_bytes": read_number(f"{folder}/memory.max_usage_in_bytes"),
        "at_limit": read_number(f"{folder}/memory.failcnt") or 0,
        "oom_kills": read_fields(f"{folder}/memory.oom_control").get("oom_kill", 0)}


def _cpu_v1(entry: dict[str, Any], folder: str) -> None:
    """The time used is in the hierarchy cpuacct, beside cpu or joined with it."""
    stat = read_fields(f"{folder}/cpu.stat")
    quota, period = read_number(f"{folder}/cpu.cfs_quota_us"), read_number(f"{folder}/cpu.cfs_period_us")
    used = read_number(f"{folder}/cpuacct.usage") or read_number(folder.replace("/cpu/", "/cpuacct/", 1) + "/cpuacct.usage")
    entry["cpu"] = {"usage_seconds": round((used or 0) / 1e9, 3),
                    "limit_cpus": round(quota / period, 3) if quota and period else None,
                    "periods": stat.get("nr_periods", 0), "throttled_periods": stat.get("nr_throttled", 0),
                    "throttled_seconds": round(stat.get("throttled_time", 0) / 1e9, 3)}


def _io_v1(entry: dict[str, Any], folder: str) -> None:
    """Lines like ``8:0 Read 4096``; the totals are added up here, so the last line is left out."""
    sums = {"Read": 0, "Write": 0}
    for line in read(f"{folder}/blkio.throttle.io_service_bytes").decode("ascii", "replace").splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in sums:
            sums[parts[1]] += int(parts[2])
    entry["io"] = {"read_bytes": sums["Read"], "written_bytes": sums["Write"]}


# --- version 2 --------------------------------------------------------------------------------------------


def _memory_v2(entry: dict[str, Any], folder: str) -> None:
    entry["memory"] = {
        "usage_bytes": read_number(f"{folder}/memory.current") or 0,
        "limit_bytes": read_number(f"{folder}/memory.max"), "peak_bytes": read_number(f"{folder}/memory.peak"),
        "at_limit": read_fields(f"{folder}/memory.events.local").get("max", 0),
        "oom_kills": read_fields(f"{folder}/memory.events.local").get("oom_kill", 0)}


def _cpu_v2(entry: dict[str, Any], folder: str) -> None:
    stat = read_fields(f"{folder}/cpu.stat")
    quota, _, period = read(f"{folder}/cpu.max").decode("ascii", "replace").strip().partition(" ")
    entry["cpu"] = {"usage_seconds": round(stat.get("usage_usec", 0) / 1e6, 3),
                    "limit_cpus": round(int(quota) / int(period), 3) if quota.isdigit() and period.isdigit() else None,
                    "periods": stat.get("nr_periods", 0), "throttled_periods": stat.get("nr_throttled", 0),
                    "throttled_seconds": round(stat.get("throttled_usec", 0) / 1e6, 3)}
    if pressures := {word: _waited(f"{folder}/{word}.pressure") for word in ("memory", "cpu", "io")}:
        entry["pressure"] = {word: value or 0.0 for word, value in pressures.items()}


def _io_v2(entry: dict[str, Any], folder: str) -> None:
    """Lines like ``8:0 rbytes=4096 wbytes=0 rios=1 ...``."""
    sums = {"rbytes": 0, "wbytes": 0}
    for word in read(f"{folder}/io.stat").decode("ascii", "replace").split():
        name, _, value = word.partition("=")
        if name in sums and value.isdigit():
            sums[name] += int(value)
    entry["io"] = {"read_bytes": sums["rbytes"], "written_bytes": sums["wbytes"]}


def _waited(path: str) -> float | None:
    """avg10 of the line ``some avg10=0.00 avg60=...``; None where the kernel has no PSI."""
    for line in read(path).decode("ascii", "replace").splitlines():
        if line.startswith("some avg10="):
            return float(line.split()[1].partition("=")[2])
    return None


def _pids(entry: dict[str, Any], folder: str) -> None:
    entry["pids"] = {"current": read_number(f"{folder}/pids.current") or 0, "limit": read_number(f"{folder}/pids.max"),
                     "refused": read_fields(f"{folder}/pids.events").get("max", 0)}


_FILL = {("memory", 1): _memory_v1, ("cpu", 1): _cpu_v1, ("io", 1): _io_v1, ("pids", 1): _pids,
         ("memory", 2): _memory_v2, ("cpu", 2): _cpu_v2, ("io", 2): _io_v2, ("pids", 2): _pids}
