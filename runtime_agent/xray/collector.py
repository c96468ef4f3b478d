"""One look at a machine: the parts in the order in which they need each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from runtime_agent import facts, images, rootfs, sandbox
from runtime_agent.namespace import VIEW
from runtime_agent.xray import cgroups, engines, mounts, namespaces, network, processes
from runtime_agent.xray.mounts import HostDevices
from runtime_agent.xray.namespaces import Kept, Visitor

PARTS = frozenset({"processes", "namespaces", "cgroups", "mounts", "networks", "layers", "changes", "engines"})
NEEDS_PROCESSES = frozenset({"processes", "init", "namespaces", "mounts", "networks", "engines"})
_visitor = Visitor()
Facts = dict[str, Any]


def collect_session(boxes: dict[str, Any], parts: Collection[str] = PARTS) -> Facts:
    """The facts of every machine of a session, by name; a machine that is gone meanwhile is left out."""
    machines = {name: collect(box, parts) for name, box in boxes.items() if box is not None}
    return {"version": facts.VERSION, "machines": {name: found for name, found in machines.items() if found}}


def collect(box: Any, parts: Collection[str] = PARTS) -> Facts | None:
    """The facts of one living machine, or of its named ``parts`` only; None if it has just ended."""
    look = Look(box)
    found = look.collect(parts)
    return found if not NEEDS_PROCESSES & set(parts) or found["init"] else None


class Look:
    """What one collection knows on its way. ``truncated`` gathers the names of lists that were cut."""

    def __init__(self, box: Any):
        self.box, self.group = box, sandbox.group(box.settings, box.session_id, box.machine)
        self.home, self.init_pid = VIEW / box.container, box.init_pid
        self.truncated: list[str] = []
        self.tables: dict[int, tuple[dict[str, Any], ...]] = {}
        self.kept: Kept = {}

    def collect(self, parts: Collection[str]) -> Facts:
        found: Facts = {"machine": self.box.machine, "cgroup_version": self.group.version, "truncated": self.truncated}
        if "cgroups" in parts:
            found["cgroups"] = self._keep("cgroups", cgroups.collect(self.group))
        if NEEDS_PROCESSES & set(parts):
            found |= self._look_at_processes(parts)
        if "layers" in parts:
            references = [f"{root.parent.parent.name}/{root.parent.name}" for root in self._image_roots()]
            found["layers"] = mounts.layers(references, os.fspath(self.home / "disk"))
        if "changes" in parts:
            found["changes"] = self._keep("changes", mounts.changes(
                os.fspath(self.home / "disk" / "upper"), [os.fspath(root) for root in self._image_roots()]))
        return {name: value for name, value in found.items() if name not in PARTS or name in parts}

    def _keep(self, name: str, result: tuple[list[Any], bool]) -> list[Any]:
        if result[1]:
            self.truncated.append(name)
        return result[0]

    def _look_at_processes(self, parts: Collection[str]) -> Facts:
        machine = processes.Machine(self.group, self.init_pid, base_of(self.init_pid), namespaces.host_ids(),
                                    secret_paths(self.box))
        listed = self._keep("processes", processes.collect(machine, cgroups.pids(self.group)))
        init = next((process for process in listed if process["pid"] == self.init_pid), None)
        self._read_tables(listed)
        devices = self._devices(init)
        self._find_roots(listed, devices)
        spaces = self._keep("namespaces", namespaces.collect(listed, self.init_pid, self.kept))
        networks = self._visit(spaces, {"uts", "net"} if "networks" in parts else {"uts"})
        self._finish(listed, spaces)
        shown = [entry for number, table in self.tables.items() if "mounts" in parts
                 for entry in mounts.describe(number, table, devices)]
        return {"init": init, "processes": listed, "namespaces": spaces, "networks": networks,
                "mounts": self._keep("mounts", (shown[:mounts.MAX_MOUNTS], len(shown) > mounts.MAX_MOUNTS)),
                "engines": engines.collect(listed)}

    def _read_tables(self, listed: list[Facts]) -> None:
        """One table per mount namespace, as a process sees it that is not in a chroot, if there is one."""
        for process in sorted(listed, key=lambda process: process["is_chrooted"]):
            number = process["ns"]["mnt"]
            if number and number not in self.tables:
                self.tables[number] = mounts.read_table(process["pid"])
                for kind, kept, path in mounts.kept_namespaces(self.tables[number]):
                    self.kept.setdefault((kind, kept), []).append((process["pid"], path))

    def _find_roots(self, listed: list[Facts], devices: HostDevices) -> None:
        roots: dict[tuple[int, str], str] = {}
        for process in listed:
            place = process["ns"]["mnt"], process.pop("chroot")
            if place not in roots:
                roots[place] = mounts.root_of(self.tables.get(place[0], ()), place[1], devices)
            process["rootfs"] = roots[place]

    def _devices(self, init: Facts | None) -> HostDevices:
        """What the agent mounted: by the first process's table, and by its own folders."""
        table = self.tables.get(init["ns"]["mnt"], ()) if init else ()
        agent = {line["device"] for line in table if line["target"].startswith("/.bulkhead")}
        agent |= {_device(folder) for folder in (self.box.settings.state_dir, self.box.settings.guest_dir)}
        root = next((line["device"] for line in table if line["target"] == "/"), "")
        return HostDevices(frozenset(agent - {""}), _device(self.home / "disk"), root, f"/{self.group.name}/inner")

    def _visit(self, spaces: list[Facts], kinds: Collection[str]) -> list[Facts]:
        """Go once into every namespace of these kinds that is the sandbox's, never into the host's."""
        wanted = [(space, descriptor) for space in spaces if space["type"] in kinds and not space["is_host"]
                  if (descriptor := namespaces.open_namespace(space, self.kept)) is not None]
        errands: dict[str, Callable[[], Any]] = {"uts": lambda: os.uname().nodename, "net": network.look}
        try:
            answers = _visitor.visit((space["type"], descriptor, errands[space["type"]]) for space, descriptor in wanted)
        finally:
            for _, descriptor in wanted:
                os.close(descriptor)
        networks = []
        for (space, _), answer in zip(wanted, answers, strict=False):
            if space["type"] == "uts":
                space["hostname"] = answer or ""
            elif answer:
                networks.append({"ns": space["id"], "is_sandbox": space["is_sandbox"], **answer})
        network.join(networks)
        return networks

    def _finish(self, listed: list[Facts], spaces: list[Facts]) -> None:
        """What a process has from its namespaces: expressions can't join two lists."""
        names = {space["id"]: space["hostname"] for space in spaces if space["type"] == "uts"}
        maps = {space["id"]: space for space in spaces if space["type"] == "user"}
        shown: dict[tuple[int, str], int] = {}
        for process in listed:
            user, place = maps.get(process["ns"]["user"]), (process["ns"]["mnt"], process["rootfs"])
            if user and not user["uid_map"]:
                user["uid_map"] = namespaces.uid_map(process["pid"])
            process["hostname"] = names.get(process["ns"]["uts"], "")
            process["uid_inside"] = namespaces.map_uid(user["uid_map"], process["uid"]) if user else -1
            if place[0] and place not in shown:
                shown[place] = processes.shown_pid_namespace(process["pid"])
            process["proc_ns"], process["engine"] = shown.get(place, 0), ""

    def _image_roots(self) -> list[Path]:
        return images.layers(self.box.settings, rootfs.image_of(self.box.settings, self.box.spec))


def base_of(init_pid: int) -> int:
    """The host id of the sandbox's root."""
    rows = namespaces.uid_map(init_pid)
    return rows[0]["outside"] if rows else 0


def secret_paths(box: Any) -> tuple[str, ...]:
    return os.fspath(box.settings.state_dir), os.fspath(box.settings.run_dir), os.fspath(VIEW)


def _device(folder: Path) -> str:
    """As mountinfo writes it; "" for a folder that is not there."""
    try:
        number = os.stat(folder).st_dev
    except OSError:
        return ""
    return f"{os.major(number)}:{os.minor(number)}"

