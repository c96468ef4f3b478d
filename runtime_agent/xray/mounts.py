"""Mount tables, one per mount namespace, and the layers of the sandbox's own root.

A table line tells more than a student may know: the options of the root's overlay and the folders behind the agent's
bind mounts are paths of the host. So a source, a root or a layer is shown only where the file system belongs to the
sandbox; ``HostDevices`` says which do not.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from dataclasses import dataclass
from typing import Any

from runtime_agent import mountapi
from runtime_agent.xray.reading import clean, read

MAX_MOUNTS = 400
MAX_CHANGES = 300
MAX_LAYERS = 40
OWN_FILE_SYSTEMS = frozenset({"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "nsfs", "overlay"})
MEANINGS = {"proc": "processes", "sysfs": "kernel", "cgroup": "groups", "cgroup2": "groups", "devpts": "terminals",
            "mqueue": "scratch", "tmpfs": "scratch", "nsfs": "namespace", "overlay": "layers"}
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class HostDevices:
    """Device numbers ("major:minor") of what the agent brings in: its own folders, the sandbox's disk, its root."""

    agent: frozenset[str]
    disk: str
    root: str
    group: str
    """Path of the sandbox's root group, which mount tables name in full."""


@functools.lru_cache(maxsize=256)
def parse(content: bytes) -> tuple[dict[str, Any], ...]:
    """The lines of a mountinfo file, proc(5). Cached by its text: most tables stay the same from look to look."""
    lines = []
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        before, _, behind = line.partition(" - ")
        fields, rest = before.split(" "), behind.split(" ")
        if len(fields) < 6 or len(rest) < 3:
            continue
        shared = [word.partition(":")[0] for word in fields[6:]]
        lines.append({"device": fields[2], "root": _plain(fields[3]), "target": _plain(fields[4]),
                      "options": fields[5].split(","), "type": rest[0], "source": _plain(rest[1]),
                      "super": " ".join(rest[2:]),
                      "propagation": "shared" if "shared" in shared else "slave" if "master" in shared else "private"})
    return tuple(lines)


def read_table(pid: int) -> tuple[dict[str, Any], ...]:
    return parse(read(f"/proc/{pid}/mountinfo"))


def describe(namespace: int, lines: tuple[dict[str, Any], ...], devices: HostDevices) -> list[dict[str, Any]]:
    """The facts of one table."""
    return [_describe(namespace, line, devices) for line in lines]


def _describe(namespace: int, line: dict[str, Any], devices: HostDevices) -> dict[str, Any]:
    kind, target = line["type"], line["target"]
    is_root = line["device"] == devices.root
    is_own = kind in OWN_FILE_SYSTEMS and line["device"] not in devices.agent
    entry = {"ns": namespace, "target": clean(target), "type": kind, "source": "", "root": "",
             "read_only": "ro" in line["options"], "propagation": line["propagation"],
             "meaning": MEANINGS.get(kind, "other"), "lower": [], "upper": "", "work": ""}
    if is_own:
        entry["root"] = clean(line["root"].removeprefix(devices.group) or "/")
        entry["source"] = clean(line["source"])
    if is_root:
        entry["meaning"] = "root" if line["root"] == "/" and target == "/" else "bind"
    elif line["device"] in devices.agent:
        entry["meaning"] = "agent"
    elif line["device"] == devices.disk:
        entry["meaning"], entry["root"] = "storage", clean(line["root"].removeprefix("/storage"))
    elif kind == "overlay":
        _add_layers(entry, line["super"])
    return entry


def _add_layers(entry: dict[str, Any], options: str) -> None:
    """An overlay that was mounted inside names paths of the sandbox. Commas in paths are escaped by the kernel."""
    values = dict(word.partition("=")[::2] for word in re.split(r"(?<!\\),", options))
    lowers = re.split(r"(?<!\\):", values.get("lowerdir", "")) + [values[key] for key in values if key == "lowerdir+"]
    entry["lower"] = [clean(path) for path in lowers if path][:MAX_LAYERS]
    entry["upper"], entry["work"] = clean(values.get("upperdir", "")), clean(values.get("workdir", ""))


def root_of(lines: tuple[dict[str, Any], ...], chroot: str, devices: HostDevices) -> str:
    """Where a process's root lies in the sandbox's file system; "" if it is on something else."""
    best = None
    for line in lines:  # the last line that covers the path is the one on top
        target = line["target"].rstrip("/")
        is_above = chroot == target or chroot.startswith(f"{target}/")
        if is_above and (best is None or len(target) >= len(best["target"].rstrip("/"))):
            best = line
    if best is None or best["device"] != devices.root:
        return ""
    below = chroot.removeprefix(best["target"].rstrip("/")).strip("/")
    return clean("/" + "/".join(part for part in (best["root"].strip("/"), below) if part))


def kept_namespaces(lines: tuple[dict[str, Any], ...]) -> list[tuple[str, int, str]]:
    """(type, id, path) of every namespace that a mount of this table keeps alive."""
    found = []
    for line in lines:
        kind, _, number = line["root"].partition(":[")
        if line["type"] == "nsfs" and number[:-1].isdigit():
            found.append((kind, int(number[:-1]), line["target"]))
    return found


# --- the layers of the sandbox's own root -----------------------------------------------------------------


def layers(references: list[str], disk: str) -> list[dict[str, Any]]:
    """The upper layer on its disk, and the image's layers below it, given as name/version, topmost first."""
    try:
        space = os.statvfs(disk)
        size = space.f_blocks * space.f_frsize
        used = size - space.f_bfree * space.f_frsize
    except OSError:
        size = used = None
    return [{"role": "upper", "name": "this sandbox", "digest": "", "used_bytes": used, "limit_bytes": size},
            *({"role": "lower", "name": name, "digest": version, "used_bytes": None, "limit_bytes": None}
              for name, _, version in (reference.partition("/") for reference in references))]


def changes(upper: str, image_roots: list[str]) -> tuple[list[dict[str, Any]], bool]:
    """(what the upper layer holds, whether some was left out). Folders that are only passed through are not listed."""
    found: list[dict[str, Any]] = []
    waiting, below = [""], []
    try:
        for root in image_roots:
            below.append(os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        while waiting and len(found) < MAX_CHANGES:
            folder = waiting.pop(0)
            waiting += _look_at(upper, folder, below, found)
    except OSError:
        return [], False
    finally:
        for descriptor in below:
            os.close(descriptor)
    return found[:MAX_CHANGES], bool(waiting) or len(found) > MAX_CHANGES


def _look_at(upper: str, folder: str, below: list[int], found: list[dict[str, Any]]) -> list[str]:
    """Note what one folder of the upper layer holds; the folders to go on with."""
    deeper = []
    try:
        with os.scandir(f"{upper}{folder}") as entries:
            names = sorted(entries, key=lambda entry: entry.name)[:MAX_CHANGES]
    except OSError:
        return []
    for entry in names:
        path = f"{folder}/{entry.name}"
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        kind = _kind(status, path, below, entry.path)
        if kind:
            found.append({"path": clean(path), "kind": kind, "type": _type(status),
                          "size_bytes": status.st_size if stat.S_ISREG(status.st_mode) else 0})
        if stat.S_ISDIR(status.st_mode) and len(path) < 512:
            deeper.append(path)
    return deeper


def _kind(status: os.stat_result, path: str, below: list[int], upper_path: str) -> str:
    """A whiteout is a character device 0/0; a folder that hides the one below carries an attribute (overlayfs.rst)."""
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return "deleted"
    is_there = _lies_below(path, below)
    if not stat.S_ISDIR(status.st_mode):
        return "changed" if is_there else "added"
    if not is_there:
        return "added"
    try:
        return "replaced" if os.getxattr(upper_path, "trusted.overlay.opaque", follow_symlinks=False) == b"y" else ""
    except OSError:
        return ""


def _lies_below(path: str, below: list[int]) -> bool:
    """Whether the topmost layer of the image that says anything about ``path`` has it."""
    for root in below:
        try:
            descriptor = mountapi.open_inside(root, path, follow=False)
        except OSError:
            continue
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        return not (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0)
    return False


def _type(status: os.stat_result) -> str:
    for test, word in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link")):
        if test(status.st_mode):
            return word
    return "other"


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text
