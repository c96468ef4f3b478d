"""Namespaces: which there are, who is in them, how they nest, and what can only be seen from inside one.

Descriptors are compared with the id that was read before, so a process that ended meanwhile can't put another's
namespace in its place. Host names and networks are asked by one thread that enters a namespace and comes back; were it
ever stuck inside, it is given up and a new one takes its place.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runtime_agent import mountapi
from runtime_agent.facts import NAMESPACE_TYPES
from runtime_agent.xray.reading import clean, file_system_magic, link_id, read

NS_GET_USERNS, NS_GET_PARENT = 0xB701, 0xB702
"""linux/nsfs.h."""
NSFS_MAGIC = 0x6E736673
CLONE = {"net": 0x40000000, "uts": 0x04000000}
MAX_LEVELS = 32
MAX_NAMESPACES = 400
Kept = dict[tuple[str, int], list[tuple[int, str]]]
"""(type, id) -> where it is mounted: (pid of a process that sees the mount, path)."""


def collect(processes: list[dict[str, Any]], init_pid: int, kept: Kept) -> tuple[list[dict[str, Any]], bool]:
    """(every namespace of the members, their parents and those that a mount keeps, whether some were left out)."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    own = next((entry["ns"] for entry in processes if entry["pid"] == init_pid), dict.fromkeys(NAMESPACE_TYPES, 0))
    host = host_ids()
    for process in processes:
        for kind in NAMESPACE_TYPES:
            if number := process["ns"][kind]:
                entry = found.setdefault((kind, number), _empty(kind, number, own, host))
                entry["members"].append(process["pid"])
                if kind in process["entered"]:
                    entry["entered"].append(process["pid"])
                if kind == "pid" and process["pid_inside"] == 1:
                    entry["first"] = process["pid"]
    for entry in found.values():
        if entry["type"] == "time" and not entry["is_host"]:
            entry["offset_seconds"] = clock_offsets(entry["members"][0])
    for (kind, number), places in kept.items():
        if kind in NAMESPACE_TYPES:
            entry = found.setdefault((kind, number), _empty(kind, number, own, host))
            entry["kept"] = sorted({clean(path) for _, path in places})
    for entry in list(found.values()):
        _find_family(entry, found, kept, own, host)
    listed = sorted(found.values(), key=_order)
    return listed[:MAX_NAMESPACES], len(listed) > MAX_NAMESPACES


def _order(entry: dict[str, Any]) -> tuple[int, bool, int]:
    return NAMESPACE_TYPES.index(entry["type"]), not entry["is_sandbox"], entry["id"]


def host_ids() -> dict[str, int]:
    """The host's own namespaces. The agent lives in them, but for a mount namespace of its own."""
    folder = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return {kind: link_id(f"ns/{kind}", folder) for kind in NAMESPACE_TYPES}
    finally:
        os.close(folder)


def _empty(kind: str, number: int, own: dict[str, int], host: dict[str, int]) -> dict[str, Any]:
    return {"type": kind, "id": number, "is_sandbox": own[kind] == number != host[kind], "is_host": host[kind] == number,
            "parent": 0, "owner": 0, "members": [], "entered": [], "first": 0, "kept": [], "hostname": "", "uid_map": [],
            "offset_seconds": {"monotonic": 0, "boottime": 0}}


def _find_family(entry: dict[str, Any], found: dict, kept: Kept, own: dict[str, int], host: dict[str, int]) -> None:
    """Parent and owner; parents without a member of their own are added, up to the sandbox's."""
    if entry["is_host"]:
        return
    descriptor = open_namespace(entry, kept)
    if descriptor is None:
        return
    try:
        entry["owner"] = _ask(descriptor, NS_GET_USERNS)
        for _ in range(MAX_LEVELS if entry["type"] in ("pid", "user") else 0):
            parent = _open(descriptor, NS_GET_PARENT)
            if parent is None:
                return
            os.close(descriptor)
            descriptor = parent
            entry["parent"] = os.fstat(descriptor).st_ino
            if entry["is_sandbox"]:
                return
            key = (entry["type"], entry["parent"])
            if key in found or host[entry["type"]] == entry["parent"]:
                return
            entry = found.setdefault(key, _empty(*key, own, host))
    finally:
        os.close(descriptor)


def open_namespace(entry: dict[str, Any], kept: Kept) -> int | None:
    """A descriptor of exactly that namespace, by a member or by a mount that keeps it; None if it is gone. Close it."""
    kind, number = entry["type"], entry["id"]
    for pid in entry["members"][:3]:
        try:
            descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        if os.fstat(descriptor).st_ino == number:
            return descriptor
        os.close(descriptor)
    return next((found for pid, path in kept.get((kind, number), []) if (found := _open_kept(pid, path, number))), None)


def _open_kept(pid: int, path: str, number: int) -> int | None:
    """Through the student's own tree: nothing is opened before it is known to be the namespace."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        place = mountapi.open_inside(root, path)
        try:
            if file_system_magic(place) != NSFS_MAGIC or os.fstat(place).st_ino != number:
                return None
            return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)
    except OSError:
        return None
    finally:
        os.close(root)


def _open(descriptor: int, question: int) -> int | None:
    """ioctl_ns(2); None where the kernel says that there is nothing above."""
    try:
        return fcntl.ioctl(descriptor, question)
    except OSError:
        return None


def _ask(descriptor: int, question: int) -> int:
    answer = _open(descriptor, question)
    if answer is None:
        return 0
    try:
        return os.fstat(answer).st_ino
    finally:
        os.close(answer)


def uid_map(pid: int) -> list[dict[str, int]]:
    """Which host users are which inside. Read by the host, so the middle column counts host users."""
    rows = [line.split() for line in read(f"/proc/{pid}/uid_map").decode("ascii", "replace").splitlines()]
    return [{"inside": int(row[0]), "outside": int(row[1]), "count": int(row[2])} for row in rows if len(row) == 3]


def clock_offsets(pid: int) -> dict[str, int]:
    """Of the time namespace of a process that lives in it: lines of "clock seconds nanoseconds" (time_namespaces(7))."""
    rows = (line.split() for line in read(f"/proc/{pid}/timens_offsets").decode("ascii", "replace").splitlines())
    return {"monotonic": 0, "boottime": 0} | {row[0]: int(row[1]) for row in rows if len(row) == 3}


def map_uid(mapping: list[dict[str, int]], uid: int) -> int:
    """The host's ``uid`` as it is called inside; -1 if it has no name there."""
    for row in mapping:
        if row["outside"] <= uid < row["outside"] + row["count"]:
            return uid - row["outside"] + row["inside"]
    return -1


# --- entering ---------------------------------------------------------------------------------------------


class Visitor:
    """A thread that goes into namespaces. ``setns`` of a network or UTS namespace concerns the calling thread only."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="visitor")

    def visit(self, errands: Iterable[tuple[str, int, Callable[[], Any]]]) -> list[Any]:
        """Do each errand (type, descriptor, what to do there); None for one whose namespace could not be entered."""
        try:
            return self._thread.submit(self._go, list(errands)).result(timeout=5)
        except StuckError:
            self._thread.shutdown(wait=False)
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="visitor")
            return []

    def _go(self, errands: list[tuple[str, int, Callable[[], Any]]]) -> list[Any]:
        homes = {kind: os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in CLONE}
        try:
            return [self._visit(homes[kind], kind, descriptor, errand) for kind, descriptor, errand in errands]
        finally:
            for home in homes.values():
                os.close(home)

    def _visit(self, home: int, kind: str, descriptor: int, errand: Callable[[], Any]) -> Any:
        try:
            mountapi.setns(descriptor, CLONE[kind])
        except OSError:
            return None
        try:
            return errand()
        except OSError:
            return None
        finally:
            try:
                mountapi.setns(home, CLONE[kind])
            except OSError as error:
                raise StuckError(str(error)) from error


class StuckError(Exception):
    """The thread could not leave a namespace again."""
