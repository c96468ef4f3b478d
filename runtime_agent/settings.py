"""The agent's settings: one frozen object, read once from the environment.

A bad value stops the agent at start and names the variable and the form it should have.
"""

from __future__ import annotations

import functools
import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

GIB = 1 << 30
MEMORY_PER_SANDBOX_BYTES = GIB // 4
"""What one sandbox is counted with when the capacity is not set: the standard profile's limit."""
RUNTIMES = ("crun", "runc")
"""In the order of preference: runc ignores idmapped mounts of its own and costs more to start."""
Value = TypeVar("Value")


class SettingsError(ValueError):
    """A variable has a value that it cannot have."""


@dataclass(frozen=True)
class Settings:
    """Where the agent keeps things and how much it may take. Sizes are in bytes, places are sandboxes."""

    state_dir: Path
    run_dir: Path
    redis_url: str
    cgroup: str
    host: str
    capacity: int
    warm: int
    slot_base: int
    runtime: str
    kept_gib: int
    points_gib: int
    standard_runtime: str
    metrics_port: int = 0
    labels: tuple[str, ...] = ("nested", "vm")
    is_joined: bool = False
    """Joined to a site on another machine: labs come as signed bundles and not from a shared folder."""

    @property
    def kept_bytes(self) -> int:
        """What the disks of ended sessions may take up together."""
        return self.kept_gib * GIB

    @property
    def points_bytes(self) -> int:
        """What the points of running sessions may take up together."""
        return self.points_gib * GIB

    @property
    def agent_dir(self) -> Path:
        return self.state_dir / "agent"

    @property
    def content_dir(self) -> Path:
        return (self.agent_dir if self.is_joined else self.state_dir) / "content"

    @property
    def site_dir(self) -> Path:
        return self.agent_dir / "site"

    @property
    def images_dir(self) -> Path:
        return self.agent_dir / "images"

    @property
    def sandboxes_dir(self) -> Path:
        return self.agent_dir / "sandboxes"

    @property
    def spares_dir(self) -> Path:
        return self.agent_dir / "spares"

    @property
    def disks_dir(self) -> Path:
        return self.agent_dir / "disks"

    @property
    def guest_dir(self) -> Path:
        return self.agent_dir / "guest"

    @property
    def mounts_dir(self) -> Path:
        return self.run_dir / "agent" / "mounts"


def load(environ: Mapping[str, str]) -> Settings:
    """Read the ``BULKHEAD_*`` variables. Raises SettingsError with the variable's name and allowed form.

    What `worker join` has written (``<agent>/site``) stands for the variables that are not set: the bus with its
    password is thereby in no environment."""
    state_dir = _read(environ, "BULKHEAD_STATE_DIR", "/var/lib/bulkhead", _absolute, "an absolute path")
    joined = _joined(state_dir / "agent" / "site")
    return Settings(
        state_dir=state_dir, is_joined=bool(joined),
        run_dir=_read(environ, "BULKHEAD_RUN_DIR", "/run/bulkhead", _absolute, "an absolute path"),
        redis_url=_read(environ, "BULKHEAD_REDIS_URL", _bus_url(state_dir) or "unix:///run/bulkhead/redis.sock?db=0", _redis_url,
                        "unix:///path?db=0, redis://host:port/0 or rediss://host:port/0"),
        cgroup=_read(environ, "BULKHEAD_CGROUP", "bulkhead", _name, "a name of letters, digits, dot and dash"),
        host=_read(environ, "BULKHEAD_HOST", joined.get("name") or socket.gethostname(), _name,
                   "a name of letters, digits, dot and dash"),
        capacity=_read(environ, "BULKHEAD_CAPACITY", str(_default_capacity()), _number(1, 100_000), "1 to 100000"),
        warm=_read(environ, "BULKHEAD_WARM", "2", _number(0, 1000), "0 to 1000"),
        slot_base=_read(environ, "BULKHEAD_SLOT_BASE", "0", _number(0, 30_000), "0 to 30000"),
        runtime=_read(environ, "BULKHEAD_RUNTIME", "auto", _runtime, "auto, crun or runc"),
        kept_gib=_read(environ, "BULKHEAD_KEPT_GIB", "20", _number(1, 100_000), "1 to 100000"),
        points_gib=_read(environ, "BULKHEAD_POINTS_GIB", "20", _number(1, 100_000), "1 to 100000"),
        standard_runtime=_read(environ, "BULKHEAD_STANDARD_RUNTIME", "", _standard_runtime, "runsc, or empty"),
        metrics_port=_read(environ, "BULKHEAD_METRICS_PORT", "0", _number(0, 65535), "0 (off) to 65535"),
        labels=_read(environ, "BULKHEAD_LABELS", "nested,vm", _labels, "names separated by commas, or none"))


@functools.cache
def current() -> Settings:
    """The settings of this process."""
    return load(os.environ)


def _read(environ: Mapping[str, str], name: str, default: str, parse: Callable[[str], Value], form: str) -> Value:
    text = environ.get(name) or default
    try:
        return parse(text)
    except ValueError:
        raise SettingsError(f"{name}={text!r}: it must be {form}") from None


def _joined(site_dir: Path) -> dict[str, str]:
    """What `worker join` noted; empty on a host that has not joined (or for a user who may not look)."""
    try:
        return json.loads((site_dir / "site.json").read_text())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}


def _bus_url(state_dir: Path) -> str:
    try:
        return (state_dir / "agent" / "site" / "bus-url").read_text().strip()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""


def _labels(text: str) -> tuple[str, ...]:
    names = () if text == "none" else tuple(text.split(","))
    if not all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name) for name in names):
        raise ValueError
    return names


def _absolute(text: str) -> Path:
    if not os.path.isabs(text):
        raise ValueError
    return Path(text)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", text):
        raise ValueError
    return text


def _redis_url(text: str) -> str:
    if not text.startswith(("unix://", "redis://", "rediss://")):
        raise ValueError
    return text


def _runtime(text: str) -> str:
    if text not in ("auto", *RUNTIMES):
        raise ValueError
    return text


def _standard_runtime(text: str) -> str:
    if text not in ("", "runsc"):
        raise ValueError
    return text


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value
    return parse


def _default_capacity() -> int:
    """A sandbox per 256 MiB of what the host has beyond a reserve of 1 GiB, at most 40 a core."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min((memory_bytes - GIB) // MEMORY_PER_SANDBOX_BYTES, 40 * (os.cpu_count() or 1)))
