"""The state file of a sandbox, ``<sandbox dir>/state.json``: what a restarted agent needs to find it again.

The file is the truth about which processes belong to a sandbox; nothing about it is kept only in memory. It is
replaced atomically, so a reader (the bridge reads without a lock) sees the old or the new state, never half of
one. Whoever changes it goes through ``change``, which serialises the threads and processes of one host.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = "state.json"
LOCK = "state.lock"
log = logging.getLogger(__name__)


def load(directory: Path) -> dict[str, Any] | None:
    """The state of the sandbox in ``directory``; None if it has none (never made, deleted, or torn by a power cut)."""
    try:
        return json.loads((directory / FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        log.error("torn state, taken for none: %s", directory)
        return None


def save(directory: Path, state: dict[str, Any]) -> None:
    """Replace the state in one step. Other writers must be kept out by ``change``, or not exist yet."""
    descriptor, name = tempfile.mkstemp(prefix=".state-", dir=directory)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(state, file, sort_keys=True)
        os.replace(name, directory / FILE)
    except BaseException:
        os.unlink(name)
        raise


@contextlib.contextmanager
def change(directory: Path) -> Iterator[dict[str, Any]]:
    """Hold the sandbox's lock, hand out its state (``{}`` if none), and save it if the block succeeds.

    flock(2) is per open file, so it excludes threads of this process as well as other processes. It must not
    be entered twice by one caller.
    """
    with (directory / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = load(directory) or {}
        yield state
        save(directory, state)
