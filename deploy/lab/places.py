"""Where an installation keeps things, and who owns them.

As root: /var/lib/bulkhead and /run/bulkhead. Without root: .bulkhead/ in the project. The programs that root runs
(virtual environment, tools) belong to root and are never writable by the site's user.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
USER = "bulkhead"


class SetupError(Exception):
    """Set-up can't go on; the text says what happened and what to do."""


@dataclass(frozen=True)
class Places:
    """``project`` is where the code runs from; ``state`` lasts, ``run`` is gone after a reboot."""

    project: Path
    state: Path
    run: Path

    @property
    def python(self) -> Path:
        return self.state / "venv" / "bin" / "python"

    @property
    def tools(self) -> Path:
        return self.state / "tools"

    @property
    def build(self) -> Path:
        return self.state / "build"

    @property
    def socket(self) -> Path:
        return self.run / "redis.sock"


def find() -> Places:
    """The places of this user: root gets the system's, anybody else the project's own folder."""
    if is_root():
        state = Path(os.environ.get("BULKHEAD_STATE_DIR") or "/var/lib/bulkhead")
        return Places(code_folder(state), state, Path(os.environ.get("BULKHEAD_RUN_DIR") or "/run/bulkhead"))
    local = PROJECT / ".bulkhead"
    return Places(PROJECT, local / "state", local / "run")


def is_root() -> bool:
    return os.geteuid() == 0


def user_ids() -> tuple[int, int] | None:
    """(uid, gid) of the unprivileged user; None when we are not root, or it has not been made yet."""
    if not is_root():
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def code_folder(state: Path) -> Path:
    """The checkout, or its copy in the state folder when other users can't read the checkout (one in /root, say)."""
    for folder in (PROJECT, *PROJECT.parents):
        if not folder.stat().st_mode & 0o001:
            return state / "app"
    return PROJECT
