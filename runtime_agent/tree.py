"""A root tree as one number, and made so that two builds of it have the same.

``settle`` takes away what differs from build to build; ``digest`` covers every entry's path, kind, mode, owner,
times of files, link target, content and extended attributes. Both see an overlay's own marks (whiteouts, opaque
folders) as what they are: part of the layer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

EPOCH = 1_735_689_600
"""SOURCE_DATE_EPOCH of every build: 2025-01-01. What is newer gets this time."""
NOISE = ("var/log", "var/cache/apt", "var/cache/ldconfig", "var/cache/man", "var/lib/apt/lists", "tmp", "var/tmp", "run")
"""Folders that are emptied of files: logs, caches and what names this host."""
OLD_COPIES = (
    "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock",
    "var/lib/dpkg/status-old", "var/lib/dpkg/available-old", "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/statoverride-old", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend", "var/lib/dpkg/triggers/Lock",
    "var/cache/debconf/config.dat-old", "var/cache/debconf/templates.dat-old",
    "var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "var/lib/systemd/catalog/database")
"""Files that differ from build to build and that nobody misses."""
BUILD_MARKS = ("trusted.overlay.origin", "trusted.overlay.impure", "trusted.overlay.uuid")
"""What overlay notes for itself while a layer is built: file handles of this disk."""


def clean(root: Path) -> None:
    """Remove what no image needs; call it while the tree is mounted, so that an overlay sees the removals."""
    for folder in NOISE:
        for path in sorted((root / folder).rglob("*"), reverse=True):
            if not path.is_dir() or path.is_symlink():
                path.unlink()
    for name in OLD_COPIES:
        (root / name).unlink(missing_ok=True)
    for name in ("lintian", "info"):
        shutil.rmtree(root / "usr" / "share" / name, ignore_errors=True)


def settle(root: Path) -> None:
    """Give what is newer than EPOCH that time, and drop the overlay's notes to itself. The tree is not mounted."""
    for path, entry in walk(root):
        with contextlib.suppress(OSError):
            for name in os.listxattr(path, follow_symlinks=False):
                if name in BUILD_MARKS:
                    os.removexattr(path, name, follow_symlinks=False)
        if entry.st_mtime > EPOCH:
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    os.utime(root, (EPOCH, EPOCH))


def digest(root: Path) -> str:
    """sha256 over the sorted entries of the tree; equal for equal trees."""
    total = hashlib.sha256()
    for path, entry in walk(root):
        total.update(_line(path, entry, root))
    return total.hexdigest()


def size_bytes(root: Path) -> int:
    """Disk space of the tree, hard links counted once."""
    blocks = {entry.st_ino: entry.st_blocks for _, entry in walk(root)}
    return sum(blocks.values()) * 512


def walk(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every entry below ``root``, in an order that depends on names only."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(folder, name)
            yield path, path.lstat()


def _line(path: Path, entry: os.stat_result, root: Path) -> bytes:
    kind = stat.S_IFMT(entry.st_mode)
    body = b""
    if kind == stat.S_IFREG:
        with path.open("rb") as file:
            body = hashlib.file_digest(file, "sha256").digest()
    elif kind == stat.S_IFLNK:
        body = os.fsencode(os.readlink(path))
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        body = str(entry.st_rdev).encode()
    when = int(entry.st_mtime) if kind == stat.S_IFREG else 0
    attributes = sorted((name, os.getxattr(path, name, follow_symlinks=False))
                        for name in os.listxattr(path, follow_symlinks=False))
    fields = (os.fsencode(path.relative_to(root)), entry.st_mode, entry.st_uid, entry.st_gid, when, attributes, body)
    return repr(fields).encode() + b"\n"
