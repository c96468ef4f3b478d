"""A PostgreSQL of its own for a while: on a unix socket in a temporary folder, as the unprivileged user, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from deploy.lab.places import SetupError, is_root, user_ids

PROGRAMS = Path("/usr/lib/postgresql")
"""Debian's packages put each version's programs below it."""
START_SECONDS = 60.0
HURRIED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=200")
"""Nothing in it outlives the run, so nothing has to survive a power cut; nobody reaches it by the network."""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A new empty cluster; the value for BULKHEAD_DATABASE_URL. It is stopped and removed at the end."""
    programs = newest()
    folder = Path(tempfile.mkdtemp(prefix="bulkhead-pg-"))
    owner = user_ids() if is_root() else None
    identity = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
    if owner:
        os.chown(folder, *owner)
    server = None
    try:
        _run([programs / "initdb", "-D", folder / "data", "-U", "bulkhead", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
              "--no-sync"], identity)
        settings = [part for setting in HURRIED for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([programs / "postgres", "-D", folder / "data", "-k", folder, *settings],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, **identity)
        _wait(programs, folder, server)
        yield f"postgres://bulkhead@{quote(str(folder), safe='')}/postgres"
    finally:
        if server:
            server.terminate()
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def newest() -> Path:
    """The folder with the programs of the newest version here."""
    found = sorted(PROGRAMS.glob("*/bin/postgres"), key=lambda path: int(path.parent.parent.name))
    if not found:
        raise SetupError("there is no PostgreSQL here: sudo apt-get install postgresql")
    return found[-1].parent


def _wait(programs: Path, folder: Path, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise SetupError(f"PostgreSQL does not start:\n{(folder / 'log').read_text()[-1500:]}")
        time.sleep(0.05)


def _run(command: list, identity: dict) -> None:
    done = subprocess.run([str(part) for part in command], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **identity)
    if done.returncode:
        raise SetupError(f"{command[0]} failed:\n{done.stdout[-1500:]}")
