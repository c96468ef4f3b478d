"""The processes of a machine, each read through a descriptor of its folder in /proc.

The descriptor means one process for ever: when that has ended, every read fails, so no other process that got its
number can slip in. A process is believed to be the sandbox's only if its own cgroup file says so.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from typing import Any

from runtime_agent import mountapi
from runtime_agent.cgroup import Group
from runtime_agent.facts import NAMESPACE_TYPES
from runtime_agent.xray import cgroups
from runtime_agent.xray.reading import clean, file_system_magic, link_id, read

MAX_PROCESSES = 1024
TICKS = os.sysconf("SC_CLK_TCK")
PROC_MAGIC = 0x9FA0
STATES = {"R": "running", "S": "sleeping", "D": "waiting", "T": "stopped", "t": "traced", "Z": "zombie", "I": "idle"}
SECCOMP = {"0": "none", "1": "strict", "2": "filter"}
CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
    "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
    "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore").split()
"""capabilities(7), by number from 0."""
_STATUS = re.compile(
    rb"Name:\t([^\n]*)\n.*?\nState:\t(.).*?\nPPid:\t(\d+)\n.*?\nUid:\t\d+\t(\d+)[^\n]*\n.*?\nNSpid:\t([^\n]*)\n"
    rb"(?:.*?\nVmRSS:\t *(\d+) kB\n)?(?:RssAnon:\t *(\d+) kB\n)?.*?\nThreads:\t(\d+)\n.*?\nCapEff:\t([0-9a-f]+)\n"
    rb".*?\nNoNewPrivs:\t(\d)\nSeccomp:\t(\d)\n", re.DOTALL)


@dataclass(frozen=True)
class Machine:
    """What the collector knows of the machine before it looks: its group, first process and first host id."""

    group: Group
    init_pid: int
    base: int
    host: dict[str, int]
    """The host's own namespaces by type: whoever is still in one of them is not the sandbox's."""
    secret_paths: tuple[str, ...]
    """Folders of the agent: a command line with one of them is the agent's own, on its way into the sandbox."""


def collect(machine: Machine, pids: list[int]) -> tuple[list[dict[str, Any]], bool]:
    """(the processes, oldest first, whether some were left out)."""
    found = [entry for pid in sorted(set(pids))[:MAX_PROCESSES] if (entry := _read_process(machine, pid))]
    init = next((entry for entry in found if entry["pid"] == machine.init_pid), None)
    level = len(init["pids"]) - 1 if init else 1
    found = [entry for entry in found if not _is_on_its_way(entry, init, level, machine.host)]
    began = init["started_seconds"] if init else 0.0
    by_pid = {entry["pid"]: entry for entry in found}
    for entry in found:
        entry["pid_sandbox"], entry["pid_inside"] = entry["pids"][level], entry["pids"][-1]
        entry["depth"] = len(entry["pids"]) - 1 - level
        entry["started_seconds"] = round(max(entry["started_seconds"] - began, 0.0), 2)
        parent = by_pid.get(entry["ppid"])
        _compare(entry, parent, init)
        entry["ppid"], entry["ppid_sandbox"] = (parent["pid"], parent["pids"][level]) if parent else (0, 0)
    return sorted(found, key=lambda entry: (entry["started_seconds"], entry["pid"])), len(set(pids)) > MAX_PROCESSES


def _is_on_its_way(entry: dict[str, Any], init: dict[str, Any] | None, level: int, host: dict[str, int]) -> bool:
    """The runtime, half inside: it joins the sandbox's namespaces one by one, so a look may find it still in the host's.

    Nobody can get into those from inside, so no process of a student is ever left out.
    """
    is_outside = any(entry["ns"][kind] == host[kind] != init["ns"][kind] for kind in NAMESPACE_TYPES) if init else False
    return len(entry["pids"]) <= level or is_outside


def _compare(entry: dict[str, Any], parent: dict[str, Any] | None, init: dict[str, Any] | None) -> None:
    """Which namespaces differ from the sandbox's and from the parent's. A zombie lives in none any more."""
    mine = entry["ns"]

    def differ(other: dict[str, Any]) -> list[str]:
        return [kind for kind in NAMESPACE_TYPES if mine[kind] and other["ns"][kind] and mine[kind] != other["ns"][kind]]

    entry["apart"] = differ(init) if init else []
    entry["entered"] = differ(parent) if parent else entry["apart"]


def _read_process(machine: Machine, pid: int) -> dict[str, Any] | None:
    try:
        folder = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        groups = cgroups.paths_of(read("cgroup", folder), machine.group)
        status = parse_status(read("status", folder))
        stat = read("stat", folder).rpartition(b")")[2].split()
        if groups is None or status is None or len(stat) < 20:
            return None
        entry = {"pid": pid, **status, "cgroup": groups,
                 "cpu_seconds": round((int(stat[11]) + int(stat[12])) / TICKS, 2),
                 "started_seconds": int(stat[19]) / TICKS,
                 "command": _command(read("cmdline", folder, 4096), machine.secret_paths),
                 "ns": _namespaces(folder), **_root(folder, status["state"])}
        entry["uid_sandbox"] = entry["uid"] - machine.base
        return entry
    finally:
        os.close(folder)


def parse_status(content: bytes) -> dict[str, Any] | None:
    """What /proc/PID/status says. The name can't forge a line: the kernel escapes line ends in it (proc(5))."""
    match = _STATUS.match(content)
    if match is None:
        return None
    name, state, parent, uid, pids, resident, anonymous, threads, effective, locked, seccomp = match.groups()
    return {"comm": clean(name, 64), "state": STATES.get(state.decode(), "idle"), "ppid": int(parent), "uid": int(uid),
            "pids": [int(number) for number in pids.split()], "threads": int(threads),
            "memory_bytes": int(resident or 0) << 10, "anonymous_bytes": int(anonymous or 0) << 10,
            "capabilities": capabilities_in(effective),
            "no_new_privs": locked == b"1", "seccomp": SECCOMP.get(seccomp.decode(), "filter")}


@functools.lru_cache(maxsize=256)
def capabilities_in(mask: bytes) -> list[str]:
    """The names in a mask of /proc/PID/status. The list is shared: nobody changes it."""
    return [name for number, name in enumerate(CAPABILITIES) if int(mask, 16) >> number & 1]


def _command(content: bytes, secret_paths: tuple[str, ...]) -> str:
    """Between its arguments a command line has zeros. The agent's own is not shown: it names folders of the host."""
    text = content.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
    return "" if any(path in text for path in secret_paths) else clean(text)


def _namespaces(folder: int) -> dict[str, int]:
    ids = {kind: link_id(f"ns/{kind}", folder) for kind in NAMESPACE_TYPES}
    for kind in ("pid_for_children", "time_for_children"):
        ids[kind] = link_id(f"ns/{kind}", folder) if ids["pid"] else 0
    return ids


def _root(folder: int, state: str) -> dict[str, Any]:
    """Its program and its root; ``rootfs`` is completed by the collector, who knows the mounts."""
    found = {"program": "", "is_chrooted": False, "chroot": "", "proc_ns": 0}
    if state == "zombie":
        return found
    try:
        found["program"] = clean(os.path.basename(os.readlink("exe", dir_fd=folder)).removesuffix(" (deleted)"), 64)
        found["chroot"] = os.readlink("root", dir_fd=folder)
        found["is_chrooted"] = found["chroot"] != "/"
    except OSError:
        pass
    return found


def shown_pid_namespace(pid: int) -> int:
    """The pid namespace whose processes stand in that process's /proc; 0 if its /proc is no procfs.

    A student may put anything at /proc, so the file system is asked what it is before the link in it is believed.
    """
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        proc = mountapi.open_inside(root, "proc")
        try:
            return link_id("1/ns/pid", proc) if file_system_magic(proc) == PROC_MAGIC else 0
        finally:
            os.close(proc)
    except OSError:
        return 0
    finally:
        os.close(root)
