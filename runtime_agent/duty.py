"""One control process a host: a lock that it holds while it lives, and by which a command sees whether it is there.

The kernel gives the lock back whatever the process dies of.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator

from runtime_agent.settings import Settings

log = logging.getLogger(__name__)


class OnDuty(Exception):
    """Somebody else holds the lock."""


@contextlib.contextmanager
def alone(settings: Settings, *, is_patient: bool = False) -> Iterator[None]:
    """Look after this host's sandboxes with nobody beside us. Who is not patient gets OnDuty if somebody does already."""
    file = settings.agent_dir / "control.lock"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_patient:
                raise OnDuty(f"{file} is held") from None
            log.warning("another process looks after the sandboxes of this host: waiting until it ends")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
