"""lab.yaml: the machines, limits and tasks of a lesson's lab, in the form that bundles carry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from labs.course.checks_yaml import check_of, hints_of
from labs.course.findings import Findings, nearest
from labs.course.networks_yaml import NAME, machine_of, networks, previews
from labs.course.yaml_file import Node

KEYS = ("machines", "networks", "terminals", "previews", "limits", "setup", "resume", "tasks")
MACHINE_KEYS = ("image", "profile", "user", "memory", "cpus", "pids", "disk", "hostname", "allow")
TASK_KEYS = ("id", "step", "title", "points", "machine", "check", "fail", "hint", "needs")
PROFILES: dict[str, dict[str, Any]] = {
    "standard": {"memory": 256 << 20, "pids": 256, "cpus": 0.5, "disk": 512 << 20},
    "nested": {"memory": 1 << 30, "pids": 512, "cpus": 1.0, "disk": 4 << 30},
}
"""What a machine gets that does not say otherwise."""
PERMISSIONS = ("new-privileges", "packet-sockets", "trace")
SIZE = re.compile(r"(\d+)([KMG])")
FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
MOVABLE = ("memory", "cpus", "pids")
MIN_SIZE_BYTES, MAX_SIZE_BYTES = 16 << 20, 64 << 30


class LabFile:
    """Reads one lab.yaml beside its lesson. ``document`` is the lab as lab.json has it, less steps and solutions."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.findings = Findings(folder / "lab.yaml")
        self.root = Node.parse((folder / "lab.yaml").read_text(errors="replace"), self.findings)
        self.task_lines: dict[str, int] = {}

    def document(self) -> dict[str, Any]:
        root = self.root
        if not root.is_mapping():
            if not self.findings:  # what is no YAML has been said already
                root.complain("form", "lab.yaml must be a mapping with 'machines' and 'tasks'")
            return {}
        root.only(KEYS)
        machines = self._machines()
        return {"machines": machines, "networks": networks(root.get("networks"), machines),
                "previews": previews(root.get("previews"), machines), "terminals": self._terminals(machines),
                "limits": self._limits(), "setup": self._scripts("setup", machines),
                "resume": self._scripts("resume", machines), "tasks": self._tasks(machines)}

    # --- machines -----------------------------------------------------------------------------------------

    def _machines(self) -> dict[str, Any]:
        found = self.root.get("machines")
        if found is None or not found.keys():
            (found or self.root).complain("missing", "a lab needs at least one machine under 'machines'")
            return {}
        return {name: self._machine(name, node) for name, node in found.items() if self._is_name(node, name)}

    def _machine(self, name: str, node: Node) -> dict[str, Any]:
        node.only(MACHINE_KEYS)
        profile = node.one_of("profile", PROFILES, "standard")
        defaults = PROFILES[profile]
        return {"image": node.text("image", "base"), "profile": profile,
                "user": node.one_of("user", ("root", "student"), "root"), "hostname": node.text("hostname", name, most=32),
                "memory_bytes": self._size(node, "memory", defaults["memory"]),
                "disk_bytes": self._size(node, "disk", defaults["disk"]),
                "cpus": float(node.number("cpus", defaults["cpus"], 0.05, 64)),
                "pids": int(node.number("pids", defaults["pids"], 16, 32768)),
                **self._permissions(node, profile)}

    def _permissions(self, node: Node, profile: str) -> dict[str, Any]:
        """Left out of the bundle where a lab opens nothing, so that its digest stays."""
        allow = node.texts("allow")
        for permission in allow:
            if permission not in PERMISSIONS:
                node.get("allow").complain("permission", f"there is no {permission!r}: a lab may allow "
                                           f"{', '.join(PERMISSIONS)}.{nearest(permission, PERMISSIONS)}")
            elif profile != "nested":
                node.get("allow").complain("permission", f"{permission!r} needs 'profile: nested'")
        return {"allow": sorted(set(allow))} if allow else {}

    def _size(self, node: Node, key: str, default: int) -> int:
        found = node.get(key)
        if found is None:
            return default
        match = SIZE.fullmatch(str(found.value()))
        size = int(match[1]) * FACTORS[match[2]] if match else 0
        if not MIN_SIZE_BYTES <= size <= MAX_SIZE_BYTES:
            found.complain("form", f"{key!r} must be a size from 16M to 64G, for example 256M or 1G")
            return default
        return size

    def _is_name(self, node: Node, name: str) -> bool:
        if NAME.fullmatch(name):
            return True
        node.complain("form", f"{name!r} is no name: small letters, digits and dashes, at most 32")
        return False

    # --- the rest -----------------------------------------------------------------------------------------

    def _terminals(self, machines: dict[str, Any]) -> list[dict[str, str]]:
        found = self.root.get("terminals")
        entries = found.entries() if found else []
        if not entries:
            return [{"title": "Terminal", "machine": name} for name in machines][:1]
        return [{"title": entry.text("title", "Terminal", most=80), "machine": machine_of(entry, machines)}
                for entry in entries]

    def _limits(self) -> dict[str, Any]:
        node = self.root.get("limits") or Node(None, self.findings)
        node.only(("minutes", "extend", "idle", "student"))
        movable = node.texts("student")
        for name in set(movable) - set(MOVABLE):
            node.get("student").complain("form", f"{name!r} can't be moved by students, only {', '.join(MOVABLE)} can")
        return {**({"student": movable} if movable else {}), "minutes": int(node.number("minutes", 60, 1, 480)),
                "extend": int(node.number("extend", 30, 0, 240)), "idle": int(node.number("idle", 20, 1, 480))}

    def _scripts(self, key: str, machines: dict[str, Any]) -> dict[str, str]:
        """machine -> file, of ``setup`` or ``resume``."""
        node = self.root.get(key)
        result = {}
        for name, value in node.items() if node else ():
            path = str(value.value())
            if name not in machines:
                value.complain("unknown-machine", f"there is no machine {name!r}.{nearest(name, machines)}")
            elif self._is_file(value, path):
                result[name] = path
        return result

    def _tasks(self, machines: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.root.get("tasks")
        entries = found.entries() if found else []
        if not entries:
            (found or self.root).complain("missing", "a lab needs at least one task under 'tasks'")
        tasks: list[dict[str, Any]] = []
        for entry in entries:
            if entry.is_mapping():
                tasks.append(self._task(entry, machines, {task["id"] for task in tasks}))
            else:
                entry.complain("form", "a task is a mapping with 'id', 'step', 'title' and 'check'")
        return tasks

    def _task(self, node: Node, machines: dict[str, Any], before: set[str]) -> dict[str, Any]:
        node.only(TASK_KEYS)
        name = node.text("id")
        if name and self._is_name(node.get("id"), name) and name in before:
            node.get("id").complain("twice", f"the task {name!r} is there already")
        needs = node.texts("needs")
        for need in needs:
            if need not in before:
                node.get("needs").complain("needs", f"{need!r} is no earlier task.{nearest(need, before)}")
        self.task_lines[name] = node.line
        return {"id": name, "step": node.text("step"), "title": node.text("title", most=200),
                "points": int(node.number("points", 1, 0, 100)), "machine": machine_of(node, machines),
                "check": check_of(node, "check", self._is_file),
                "fail": check_of(node, "fail", self._is_file) if node.get("fail") else None,
                "hint": hints_of(node), "needs": needs}

    def _is_file(self, node: Node, path: str) -> bool:
        """Inside the lesson's folder, no link, no way out of it."""
        target = self.folder / path
        if ".." in Path(path).parts or Path(path).is_absolute() or target.is_symlink() or not target.is_file():
            node.complain("no-file", f"{path!r} is no file of this lesson")
            return False
        return True
