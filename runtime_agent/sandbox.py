"""A sandbox from nothing to nothing.

Theory of operation. A sandbox is one container under one conmon, a disk, a few mounts, a cgroup and a slot of ids.
Each has one home (rootfs, cgroup, slots, network, spawn); this module puts them in order and undoes them in reverse:

    prepare   lease a slot, make the disk, mount, make the cgroup, write config.json
    start     conmon + runtime, networks, PID 1 runs; only now is state.json written, and with it the sandbox exists
    delete    kill the group, runtime delete, unmount, remove the cgroup, drop or keep the disk, give the slot back

The container, its mounts and its cgroup are called ``<session id>-<machine>``, or after the spare that they were made
for (pool.py): ``container`` in state.json says which, so state.json goes last.

``create`` is prepare and start; when it fails it deletes. ``delete`` works from the id alone, with nothing alive
or half of it there, and may be called twice. state.json is the truth about what exists; the kernel is asked whether
it still lives. Nothing is remembered in this process.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime_agent import (
    bundle,
    cgroup,
    conmon,
    conmon_group,
    gvisor,
    images,
    network,
    proc,
    profiles,
    protocol,
    rootfs,
    slots,
    spawn,
    state,
    teardown,
)
from runtime_agent.bundle import Spec
from runtime_agent.errors import AgentError
from runtime_agent.limits import Limits
from runtime_agent.settings import Settings

__all__ = ["Sandbox", "Spec", "create", "delete", "find", "living", "prepare", "runtime_name", "start"]

MACHINE = re.compile(r"[a-z][a-z0-9-]{0,30}")
INIT_SECONDS = 10.0
Announce = Callable[[str], None]


@dataclass(frozen=True)
class Sandbox:
    """One that was started. ``dir`` holds its state; ask ``is_alive`` before you count on it."""

    settings: Settings
    spec: Spec
    dir: Path

    @property
    def session_id(self) -> str:
        return self.spec.session_id

    @property
    def machine(self) -> str:
        return self.spec.machine

    @property
    def state(self) -> dict[str, Any]:
        return state.load(self.dir) or {}

    @property
    def container(self) -> str:
        """What its container, mounts and cgroup are called."""
        return self.state.get("container", self.spec.name)

    @property
    def init_pid(self) -> int:
        return self.state.get("init_pid", 0)

    @property
    def conmon_pid(self) -> int:
        return self.state.get("conmon_pid", 0)

    def is_alive(self) -> bool:
        current = self.state
        return proc.is_alive(current.get("init_pid", 0), current.get("init_start_ticks", 0))

    def oom_kills(self) -> int:
        return cgroup.of_container(self.settings.cgroup, self.container).oom_kills()


def runtime_name(settings: Settings) -> str:
    return settings.runtime


def directory(settings: Settings, session_id: str, machine: str) -> Path:
    """Where a sandbox keeps its state. Raises ProtocolError or AgentError for names that are none."""
    if not MACHINE.fullmatch(machine):
        raise AgentError("bad-message", f"machine {machine!r}")
    return settings.sandboxes_dir / protocol.check_session_id(session_id) / machine


def container(settings: Settings, session_id: str, machine: str) -> str:
    """What the sandbox's container is called, as far as the disk knows; its own name if there is none."""
    found = state.load(directory(settings, session_id, machine)) or {}
    return found.get("container", f"{session_id}-{machine}")


def group(settings: Settings, session_id: str, machine: str) -> cgroup.Group:
    return cgroup.of_container(settings.cgroup, container(settings, session_id, machine))


# --- making -----------------------------------------------------------------------------------------------


def create(settings: Settings, spec: Spec, on_stage: Announce = lambda stage: None) -> Sandbox:
    """Bring a sandbox to life; the one that lives already is returned. Raises AgentError, and then nothing is left
    but a disk that was there before."""
    found = find(settings, spec.session_id, spec.machine)
    if found:
        return found
    had_disk = rootfs.disk_path(settings, spec.name).exists()
    delete(settings, spec.session_id, spec.machine, keep_disk=had_disk)
    try:
        prepare(settings, spec, on_stage)
        on_stage("runtime")
        return start(settings, spec)
    except BaseException:
        delete(settings, spec.session_id, spec.machine, keep_disk=had_disk)
        raise


def prepare(settings: Settings, spec: Spec, on_stage: Announce = lambda stage: None, home: Path | None = None) -> None:
    """Everything but a process; ``home`` is where config.json is written. The caller deletes if this raises."""
    profile = profiles.find(spec.profile)
    images.current(settings, spec.image)
    home = home or directory(settings, spec.session_id, spec.machine)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    base = slots.base_of(slots.lease(settings, spec.name))
    on_stage("disk")
    rootfs.make_disk(settings, spec, base)
    on_stage("root")
    places = rootfs.mount(settings, spec, base)
    control = cgroup.of_container(settings.cgroup, spec.name)
    control.create(Limits(spec.memory_bytes, spec.pids, spec.cpus), base if profile.is_nested else None)
    conmon_group.make(settings.cgroup)
    (home / "config.json").write_text(json.dumps(bundle.config(spec, base, places, control.path)))


def start(settings: Settings, spec: Spec) -> Sandbox:
    """Run PID 1 of a prepared sandbox and write the state that makes it exist."""
    home = directory(settings, spec.session_id, spec.machine)
    return begin(settings, spec, spec.name, spawn.create_container(settings, spec.name, home))


def begin(settings: Settings, spec: Spec, name: str, started: conmon.Started,
          ahead: dict[str, Any] | None = None) -> Sandbox:
    """The same for container ``name``, which is created already; if something was done ``ahead``, its PID 1 runs, and that
    goes into the state. The caller deletes if this raises."""
    home = directory(settings, spec.session_id, spec.machine)
    rootfs.add_hosts(name, spec.hosts)
    network.connect(spec.session_id, spec.interfaces, started.pid)
    ticks = proc.start_ticks(started.pid) if ahead else run_init(settings, spec, name, started.pid)
    if ticks is None:
        raise AgentError("start-failed", "the sandbox's first process has ended")
    state.save(home, {
        "spec": spec.to_state(), "container": name, "runtime": settings.runtime, "init_pid": started.pid,
        "init_start_ticks": ticks, "conmon_pid": started.conmon_pid, "start_time_ticks": started.conmon_start_ticks,
        "created_at": time.time(), "terminals": {}, **(ahead or {})})
    return Sandbox(settings, spec, home)


def run_init(settings: Settings, spec: Spec, name: str, pid: int) -> int:
    """Let PID 1 of container ``name`` run; its start time. Raises AgentError("start-failed")."""
    if profiles.find(spec.profile).is_nested:
        _settle(settings, name, pid)
    spawn.start_container(settings, name)
    ticks = proc.start_ticks(pid)
    if ticks is None or not (settings.runtime == gvisor.RUNTIME or _wait_for_init(pid, ticks)):
        raise AgentError("start-failed", "the sandbox's first process did not come up")
    return ticks


def _settle(settings: Settings, name: str, pid: int) -> None:
    try:
        cgroup.of_container(settings.cgroup, name).settle(pid)
    except OSError as error:
        raise AgentError("start-failed", f"cgroup of {name}: {error}") from error


def _wait_for_init(pid: int, ticks: int) -> bool:
    """The runtime reports before PID 1 has executed our init. Until then the process still has the memory of the host's
    runtime, and nothing may join its namespaces: crun's second setns(2) fails with EPERM (linux.c, 1.8.1)."""
    deadline = time.monotonic() + INIT_SECONDS
    while time.monotonic() < deadline and proc.is_alive(pid, ticks):
        if proc.arguments(pid)[:1] == bundle.INIT[:1]:
            return True
        time.sleep(0.001)
    return False


# --- finding ----------------------------------------------------------------------------------------------


def find(settings: Settings, session_id: str, machine: str) -> Sandbox | None:
    """The living sandbox of that name, or None."""
    home = directory(settings, session_id, machine)
    found = state.load(home)
    if not found or "spec" not in found:
        return None
    box = Sandbox(conmon.as_made(settings, found), Spec.from_state(found["spec"]), home)
    return box if box.is_alive() else None


def living(settings: Settings) -> Iterator[Sandbox]:
    """Every living sandbox of this host."""
    for file in sorted(settings.sandboxes_dir.glob(f"*/*/{state.FILE}")):
        box = find(settings, file.parent.parent.name, file.parent.name)
        if box:
            yield box


# --- ending -----------------------------------------------------------------------------------------------


def delete(settings: Settings, session_id: str, machine: str, keep_disk: bool = False) -> None:
    """Leave nothing of the sandbox; ``keep_disk`` keeps its writable layer (and its ids) for a resume.

    Repeats safely. Raises AgentError if a process can't be ended within 10 s: then the rest stays for the reaper.
    """
    home, own = directory(settings, session_id, machine), f"{session_id}-{machine}"
    name = container(settings, session_id, machine)
    settings = conmon.as_made(settings, state.load(home) or {})
    teardown.dismantle(settings, name, home)
    if name != own:
        teardown.discard_spare(settings, name)
    if not keep_disk:
        rootfs.drop_disk(settings, own)
    if not rootfs.disk_path(settings, own).exists():
        slots.release(settings, own)
    if not any(other.is_dir() for other in home.parent.glob("*") if other != home):
        network.remove(session_id)  # before the folder goes: what is left of a session is found by it
    shutil.rmtree(home, ignore_errors=True)
    with contextlib.suppress(OSError):
        home.parent.rmdir()
