"""Containers and virtual machines inside a sandbox, told apart by what the kernel shows of them.

A container is a first process of a pid namespace other than the sandbox's, with everything that lives in that
namespace or below. Who made it is read from its control group (each engine has its own way of naming them), else from
the program of the process that started it. Both are the student's to choose: this names what is drawn, and is no proof.
"""

from __future__ import annotations

import re
from typing import Any

GROUPS = (
    ("docker", re.compile(r"/docker[/-]([0-9a-f]{64})")),
    ("podman", re.compile(r"libpod-(?:conmon-)?([0-9a-f]{64})")),
    ("kubernetes", re.compile(r"/kubepods[^/]*/(?:.*/)?(?:cri-containerd-|crio-)?([0-9a-f]{64})")),
    ("kubernetes", re.compile(r"/k8s\.io/([0-9a-f]{64})")),
    ("lxc", re.compile(r"/lxc(?:\.payload)?[./]([A-Za-z0-9_.-]+)")),
    ("nspawn", re.compile(r"/machine[^/]*/([A-Za-z0-9_.-]+)")),
    ("containerd", re.compile(r"/(?:default|moby|example)/([A-Za-z0-9_.-]+)")))
STARTERS = {"dockerd": "docker", "conmon": "podman", "lxc-start": "lxc", "lxc-execute": "lxc", "systemd-nspawn": "nspawn",
            "crun": "oci", "runc": "oci", "containerd-shim": "containerd", "containerd-shim-runc-v2": "containerd"}
MACHINE = re.compile(r"qemu-system-\w+|qemu-kvm|cloud-hypervisor|firecracker")
NAME = re.compile(r"[\w.-]+")


def collect(processes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The engine objects; each process's ``engine`` is set to the innermost that it belongs to."""
    by_pid = {process["pid"]: process for process in processes}
    firsts = [process for process in processes if process["depth"] and process["pid_inside"] == 1]
    found = [_container(first, by_pid) for first in firsts]
    found += [_machine(process) for process in processes if MACHINE.fullmatch(process["program"])]
    for engine in sorted(found, key=lambda engine: engine["level"]):
        engine["members"] = _members(engine, processes)
        for pid in engine["members"]:
            by_pid[pid]["engine"] = f"{engine['kind']}:{engine['name']}"
    return sorted(found, key=lambda engine: engine["pid"])


def _container(first: dict[str, Any], by_pid: dict[int, dict[str, Any]]) -> dict[str, Any]:
    kind, name = _by_group(first["cgroup"]["pids"])
    starter = by_pid.get(first["ppid"], {}).get("program", "")
    if not kind:
        kind = STARTERS.get(starter, "oci" if _own_group(first) and "mnt" in first["apart"] else "container")
        group = "" if kind == "nspawn" else _own_group(first)  # nspawn calls every one "payload"
        name = group or first["hostname"] or str(first["pid"])
    return {"kind": kind, "name": name, "pid": first["pid"], "members": [], "level": first["depth"] - 1,
            "apart": list(first["apart"]), "rootfs": first["rootfs"]}


def _by_group(path: str) -> tuple[str, str]:
    for kind, pattern in GROUPS:
        if match := pattern.search(path):
            return kind, match[1][:12] if re.fullmatch(r"[0-9a-f]{64}", match[1]) else match[1][:64]
    return "", ""


def _own_group(first: dict[str, Any]) -> str:
    """An OCI runtime that was told no path makes a group of the container's name at the top."""
    last = first["cgroup"]["pids"].strip("/.").rpartition("/")[2]
    return last[:64] if NAME.fullmatch(last) else ""


def _machine(process: dict[str, Any]) -> dict[str, Any]:
    words = process["command"].split()
    name = words[words.index("-name") + 1] if "-name" in words[:-1] else str(process["pid_sandbox"])
    name = name.partition(",")[0].removeprefix("guest=")  # qemu(1): -name [guest=]one,debug-threads=on
    return {"kind": "vm", "name": name[:64], "pid": process["pid"], "members": [], "level": process["depth"],
            "apart": list(process["apart"]), "rootfs": process["rootfs"]}


def _members(engine: dict[str, Any], processes: list[dict[str, Any]]) -> list[int]:
    """A container's are those in its pid namespace or below: born from its first process, or come in from outside."""
    if engine["kind"] == "vm":
        return [engine["pid"]]
    depth = engine["level"] + 2
    home = next(process["ns"]["pid"] for process in processes if process["pid"] == engine["pid"])
    inside = {process["pid"] for process in processes if process["ns"]["pid"] == home}
    for process in processes:  # oldest first, so a parent has been seen before its child
        if process["depth"] >= depth - 1 and process["ppid"] in inside:
            inside.add(process["pid"])
    return sorted(inside)
