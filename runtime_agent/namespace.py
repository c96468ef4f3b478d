"""The agent's own mount namespace: what a sandbox must never share with the host, and what crun must not see.

Everything the agent mounts lives here, with private propagation, so the host's mount table never changes. The
namespace holds three things of its own: a /dev of six harmless nodes (crun fchowns whatever it gets as stdio,
the host's /dev/null included), a cgroup tree that crun 1.8.1 accepts on hybrid hosts, and VIEW, a short path
that a sandbox's mapped root may traverse whatever the state folder's permissions are.

The namespace lives as long as the agent or any conmon in it. A restarted agent joins the one that its sandboxes
are in; only if none lives does it make a new one.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runtime_agent import mountapi, proc, state
from runtime_agent.settings import Settings

VIEW = Path("/mnt")
"""A folder of the file system standard; only in our namespace is anything mounted on it."""
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
         "loop-control": (10, 237)}
CGROUPS = Path("/sys/fs/cgroup")


def enter(settings: Settings) -> None:
    """Move this process into the agent's namespace. Call it before any thread exists. Repeats safely."""
    if is_inside(settings):
        return
    if not _join_living(settings):
        mountapi.unshare(mountapi.CLONE_NEWNS)
        mountapi.mount("none", Path("/"), "none", mountapi.MS_REC | mountapi.MS_PRIVATE)
        _mount_view(settings)
        _mount_spares()
        _mount_dev(settings)
        _mount_cgroups(settings)
    os.chdir("/")


def is_inside(settings: Settings) -> bool:
    marker = VIEW / ".bulkhead"
    return marker.exists() and marker.read_text() == str(settings.state_dir)


def _join_living(settings: Settings) -> bool:
    for file in [*settings.sandboxes_dir.glob(f"*/*/{state.FILE}"), *settings.spares_dir.glob(f"*/{state.FILE}")]:
        found = state.load(file.parent) or {}
        pidfd = proc.open_pidfd(found.get("conmon_pid", 0), found.get("start_time_ticks", 0))
        if pidfd is None:
            continue
        try:
            mountapi.setns(pidfd, mountapi.CLONE_NEWNS)
        finally:
            os.close(pidfd)
        return True
    return False


def _mount_view(settings: Settings) -> None:
    mountapi.mount("bulkhead", VIEW, "tmpfs", mountapi.MS_NOSUID | mountapi.MS_NODEV, "mode=0711,size=16m")
    (VIEW / ".bulkhead").write_text(str(settings.state_dir))


def _mount_spares() -> None:
    """A whole proc and sysfs. The kernel lets a sandbox mount its own only where one without anything over it is in
    sight, and writable (mount_too_revealing, fs/namespace.c); in a container of Docker's none is, and crun would then
    show the sandbox the host's. The second call is for a superblock that was there, read-only."""
    flags = mountapi.MS_NOSUID | mountapi.MS_NODEV | mountapi.MS_NOEXEC
    for kind in ("proc", "sysfs"):
        (VIEW / f".{kind}").mkdir(mode=0o700)
        mountapi.mount(kind, VIEW / f".{kind}", kind, flags)
        mountapi.mount(kind, VIEW / f".{kind}", kind, flags | mountapi.MS_REMOUNT)


def _mount_dev(settings: Settings) -> None:
    staging = VIEW / "dev"
    staging.mkdir()
    mountapi.mount("dev", staging, "tmpfs", mountapi.MS_NOSUID, "mode=0755,size=1m")
    for name, (major, minor) in NODES.items():
        os.mknod(staging / name, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
        os.chmod(staging / name, 0o600 if name == "loop-control" else 0o666)
    for folder in ("pts", "shm"):
        (staging / folder).mkdir()
        mountapi.mount(Path("/dev") / folder, staging / folder, "none", mountapi.MS_BIND)
    for link, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"),
                         ("stderr", "fd/2")):
        (staging / link).symlink_to(target)
    mountapi.mount(staging, Path("/dev"), "none", mountapi.MS_BIND | mountapi.MS_REC)


def _mount_cgroups(settings: Settings) -> None:
    """On a hybrid host show only the v1 controllers: crun refuses the mixture, and the controllers are on v1."""
    if not (CGROUPS / "unified").is_dir():
        return
    staging = VIEW / "cgroup"
    staging.mkdir()
    mountapi.mount("cgroup", staging, "tmpfs", mountapi.MS_NOSUID | mountapi.MS_NODEV, "mode=0755,size=1m")
    for hierarchy in sorted(CGROUPS.iterdir()):
        if hierarchy.name == "unified":
            continue
        if hierarchy.is_symlink():
            (staging / hierarchy.name).symlink_to(os.readlink(hierarchy))
            continue
        (staging / hierarchy.name).mkdir()
        mountapi.mount(hierarchy, staging / hierarchy.name, "none", mountapi.MS_BIND)
    mountapi.mount(staging, CGROUPS, "none", mountapi.MS_BIND | mountapi.MS_REC)
