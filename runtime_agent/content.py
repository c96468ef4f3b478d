"""The agent's reading of a published lab bundle: ``<content_dir>/<digest>/{lab.json, checks/*, set-up files}``.

The site wrote the bundle and the agent runs it as root, so nothing in it is believed: the digest is computed again,
every file must be a plain file inside the bundle, and what lab.json asks for is checked word by word (lab_reader.py).
What fails raises AgentError with the reason the student is told. This module only reads; it must never write into the
content directory or start anything.

A bundle that was found good is not read again as long as none of its files has another inode, size or change time, which
nobody but the kernel sets. Change times are as coarse as the clock's tick, so files that were changed in the last second are
read again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from runtime_agent.errors import AgentError
from runtime_agent.fleet import digest_of
from runtime_agent.lab import Lab
from runtime_agent.lab_reader import Bounds, Reader

MAX_FILES = 256
MAX_FILE_BYTES = 1 << 20
MAX_BUNDLE_BYTES = 8 << 20

SETTLED_SECONDS = 1.0
MAX_KNOWN = 256
_DIGEST = re.compile(r"[0-9a-f]{64}")


def load_lab(content_dir: Path, digest: object, bounds: Bounds | None = None) -> Lab:
    """Read and validate one bundle.

    Raises AgentError: "unknown-lab" (not there, altered, unreadable), "bad-limit" (more than ``bounds``),
    "unknown-profile", "unknown-image" (a name that no image can have).
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise AgentError("unknown-lab", "a lab is named by its sha256 digest")
    directory, bounds = Path(content_dir) / digest, bounds or Bounds.of_this_host()
    seen = _look(directory)
    if (known := _known.get((directory, bounds))) and known[0] == seen:
        return known[1]
    lab = _load(directory, digest, bounds)
    if seen and time.time_ns() - max(changed for *_, changed in seen) > SETTLED_SECONDS * 1e9:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        _known[directory, bounds] = (seen, lab)
    return lab


def _load(directory: Path, digest: str, bounds: Bounds) -> Lab:
    files = _read_files(directory)
    if digest_of(files) != digest:
        raise AgentError("unknown-lab", f"the files of {digest} are not those it names")
    try:
        document = json.loads(files["lab.json"])
        return Reader(document, files, bounds).lab(digest, directory)
    except (KeyError, TypeError, ValueError) as error:
        raise AgentError("unknown-lab", f"lab.json of {digest}: {error!r}") from error


Seen = tuple[tuple[str, int, int, int], ...]
"""(path, inode, size, change time in ns) of every folder and file of a bundle."""
_known: dict[tuple[Path, Bounds], tuple[Seen, Lab]] = {}


def _look(directory: Path) -> Seen:
    """Nothing for more than a bundle may hold: that is for ``_read_files`` to refuse."""
    found = []
    for folder, _, names in os.walk(directory):
        if len(found) + len(names) > 2 * MAX_FILES:
            return ()
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            with contextlib.suppress(FileNotFoundError):
                entry = os.lstat(path)
                found.append((path, entry.st_ino, entry.st_size, entry.st_ctime_ns))
    return tuple(sorted(found))


def _read_files(directory: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for path in _plain_files(directory):
        relative = path.relative_to(directory).as_posix()
        body = _read_plain(path)
        total += len(body)
        if len(files) >= MAX_FILES or total > MAX_BUNDLE_BYTES:
            raise AgentError("unknown-lab", f"{directory.name} is larger than a lab bundle may be")
        files[relative] = body
    if "lab.json" not in files:
        raise AgentError("unknown-lab", f"{directory.name} is not published on this host")
    return files


def _plain_files(directory: Path) -> Iterator[Path]:
    if directory.is_symlink():
        raise AgentError("unknown-lab", f"{directory.name} is a symbolic link")
    for folder, folders, names in os.walk(directory):
        for name in [*folders, *names]:
            path = Path(folder, name)
            if not stat.S_ISDIR(mode := path.lstat().st_mode) and not stat.S_ISREG(mode):
                raise AgentError("unknown-lab", f"{path} is neither a file nor a folder")
        yield from (Path(folder, name) for name in names)


def _read_plain(path: Path) -> bytes:
    """O_NOFOLLOW closes the race between looking at the file and opening it."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        body = file.read(MAX_FILE_BYTES + 1)
    if len(body) > MAX_FILE_BYTES:
        raise AgentError("unknown-lab", f"{path.name} is larger than {MAX_FILE_BYTES} bytes")
    return body
