"""From a machine's specification to OCI's config.json (runtime-spec 1.0). Pure functions; nothing is touched.

``process`` describes any process of a sandbox, PID 1 and every later exec alike: an exec without the whole
description would lose no_new_privs and the rlimits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runtime_agent import cgroup, profiles, seccomp
from runtime_agent.addresses import Interface
from runtime_agent.errors import AgentError

IDS_PER_SANDBOX = 65536
OOM_SCORE = 500
INIT = ["/.bulkhead/bin/init", "-P"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USERS = {"root": (0, 0, "/root"), "student": (1000, 1000, "/home/student")}
"""name -> (uid, gid, home): what every image recipe makes."""


@dataclass(frozen=True)
class Spec:
    """One machine of one session. Sizes in bytes, ``cpus`` in CPUs; ``checks_dir`` is shown at /.bulkhead/checks,
    ``hosts`` are lines for /etc/hosts, ``allow`` are of profiles.PERMISSIONS, ``setup`` is the lab's script for it."""

    session_id: str
    machine: str
    image: str
    profile: str
    user: str
    hostname: str
    memory_bytes: int
    pids: int
    cpus: float
    disk_bytes: int
    checks_dir: Path | None = None
    lab_files: Mapping[str, str] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] = ()
    hosts: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    setup: Path | None = None

    @property
    def name(self) -> str:
        """The container's name."""
        return f"{self.session_id}-{self.machine}"

    def to_state(self) -> dict[str, Any]:
        paths = {name: path and str(path) for name, path in (("checks_dir", self.checks_dir), ("setup", self.setup))}
        return {**asdict(self), **paths, "lab_files": dict(self.lab_files)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Spec:
        paths = {name: Path(state[name]) if state.get(name) else None for name in ("checks_dir", "setup")}
        interfaces = tuple(Interface(**fields) for fields in state.get("interfaces", ()))
        return cls(**{**state, **paths, "interfaces": interfaces,
                      "hosts": tuple(state.get("hosts", ())), "allow": tuple(state.get("allow", ()))})


@dataclass(frozen=True)
class Places:
    """Where the parts of a sandbox are in the agent's namespace; ``storage`` only in the nested profile."""

    root: Path
    guest: Path
    checks: Path | None
    storage: Path | None


ENGINES_ENVIRONMENT = {1: {}, 2: {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}}
"""By version of control groups: systemd-nspawn takes the version from the systemd in the tree that it starts, and where there
is none (busybox) it wants version 1, which it can't have."""


def process(spec: Spec, argv: Sequence[str], user: str, env: Mapping[str, str], terminal: bool) -> dict[str, Any]:
    """The ``process`` object for ``argv`` as ``user`` ("root" or "student"). Raises AgentError("bad-message")."""
    if user not in USERS:
        raise AgentError("bad-message", f"user {user!r}: root or student")
    uid, gid, home = USERS[user]
    capabilities = [*profiles.find(spec.profile).capabilities, *(["CAP_SYS_PTRACE"] if "trace" in spec.allow else [])]
    held = capabilities if uid == 0 else []
    engines = ENGINES_ENVIRONMENT[cgroup.version()] if profiles.find(spec.profile).is_nested else {}
    environment = {"PATH": PATH, "HOME": home, "USER": user, "LANG": "C.UTF-8", "TERM": "xterm-256color", **engines, **env}
    return {
        "terminal": terminal, "user": {"uid": uid, "gid": gid}, "args": list(argv), "cwd": home if terminal else "/",
        "env": [f"{name}={value}" for name, value in environment.items()],
        "capabilities": {"bounding": capabilities, "effective": held, "permitted": held,
                         "inheritable": [], "ambient": []},
        "rlimits": [{"type": name, "soft": soft, "hard": hard} for name, (soft, hard) in profiles.RLIMITS.items()],
        "noNewPrivileges": "new-privileges" not in spec.allow, "oomScoreAdj": OOM_SCORE}


def config(spec: Spec, base: int, places: Places, cgroups_path: str) -> dict[str, Any]:
    """The whole configuration; ``base`` is the host id that the sandbox's root has."""
    profile = profiles.find(spec.profile)
    mapping = [{"containerID": 0, "hostID": base, "size": IDS_PER_SANDBOX}]
    return {
        "ociVersion": "1.0.2", "hostname": spec.hostname, "process": process(spec, INIT, "root", {}, False),
        "root": {"path": str(places.root), "readonly": False},
        "mounts": [*_system_mounts(profile), *_agent_mounts(places), *_storage_mounts(places)],
        "linux": {
            "uidMappings": mapping, "gidMappings": mapping, "cgroupsPath": cgroups_path, "sysctl": profiles.SYSCTLS,
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "user", "cgroup", "network")],
            "maskedPaths": profiles.MASKED, "readonlyPaths": profile.read_only,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "seccomp": seccomp.profile(nested=profile.is_nested, allow_packet="packet-sockets" in spec.allow)}}


def _mount(target: str, kind: str, *options: str, source: str | None = None) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source or kind, "options": list(options)}


def _system_mounts(profile: profiles.Profile) -> list[dict[str, Any]]:
    no = ("nosuid", "nodev")
    mounts = [
        _mount("/proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=1m", "nr_inodes=256"),
        _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "max=64"),
        _mount("/dev/shm", "tmpfs", *no, "noexec", "mode=1777", "size=32m", "nr_inodes=4096"),
        _mount("/dev/mqueue", "mqueue", *no, "noexec"),
        _mount("/sys", "sysfs", *no, "noexec", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", *no, "noexec", "rw" if profile.is_nested else "ro"),
        _mount("/tmp", "tmpfs", *no, "mode=1777", "size=64m", "nr_inodes=16384"),
        _mount("/run", "tmpfs", *no, "mode=755", "size=16m", "nr_inodes=4096")]
    if profile.is_nested:  # an unmasked proc and sysfs: without one the kernel lets no nested namespace mount its own
        mounts += [_mount("/.proc", "proc", "nosuid", "noexec", "nodev"), _mount("/.sys", "sysfs", *no, "noexec")]
    return mounts


def _agent_mounts(places: Places) -> list[dict[str, Any]]:
    options = ("bind", "ro", "nosuid", "nodev")
    mounts = [_mount("/.bulkhead", "bind", *options, source=str(places.guest))]
    if places.checks:
        mounts.append(_mount("/.bulkhead/checks", "bind", *options, source=str(places.checks)))
    return mounts


def _storage_mounts(places: Places) -> list[dict[str, Any]]:
    if places.storage is None:
        return []
    return [_mount(f"/var/lib/{name}", "bind", "bind", "rw", "nosuid", "nodev", source=str(places.storage / name))
            for name in profiles.ENGINE_STORAGE]
