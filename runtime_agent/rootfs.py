"""The one home of a sandbox's mounts: disk, layers, and what it is shown of the agent's.

A sandbox's root is an overlay: below, the shared image seen through the sandbox's own user namespace (an idmapped
mount; nothing is copied or chowned); above, a folder on a small ext4 of its own, whose size is its quota. All of it
is mounted in the agent's namespace under ``VIEW/<name>/``; a container keeps its own copy of the mounts, so they may
be taken away here at any time.

    VIEW/<name>/disk    the ext4: upper/ work/ storage/
    VIEW/<name>/root    the overlay
    VIEW/<name>/guest   /.bulkhead        VIEW/<name>/checks   /.bulkhead/checks
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from runtime_agent import images, mountapi, profiles
from runtime_agent.bundle import IDS_PER_SANDBOX, Places, Spec
from runtime_agent.errors import AgentError
from runtime_agent.namespace import VIEW
from runtime_agent.settings import Settings

FREE_BYTES_WATERMARK = 2 << 30
INODES = 16384
BYTES_PER_INODE = 32 << 10
MAX_HOSTS_BYTES = 64 << 10
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
MKFS_SECONDS = 20.0
"""On a busy disk it takes a second: nothing but metadata is written."""
IMAGE_ATTRIBUTE = "user.bulkhead.image"
"""On a disk's file: the image version below it. Renames keep it; a copy must too (cp --preserve=xattr, shutil.copy2)."""


def disk_path(settings: Settings, name: str) -> Path:
    return settings.disks_dir / f"{name}.img"


def disk_mount(name: str) -> Path:
    """Where the disk of container ``name`` is mounted in the agent's namespace."""
    return VIEW / name / "disk"


def make_disk(settings: Settings, spec: Spec, base: int) -> None:
    """Make the writable layer's file system unless it is there (a resumed session). Raises AgentError("disk-full"), or
    "start-failed" if it can't be made."""
    path = disk_path(settings, spec.name)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    space = os.statvfs(path.parent)
    if space.f_bavail * space.f_frsize < FREE_BYTES_WATERMARK:
        raise AgentError("disk-full", f"less than {FREE_BYTES_WATERMARK >> 30} GiB free under {path.parent}")
    building = path.with_suffix(".new")
    with building.open("wb") as file:
        file.truncate(spec.disk_bytes)
    inodes = max(INODES, spec.disk_bytes // BYTES_PER_INODE)
    command = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", "-N", str(inodes), "-E",
               f"lazy_itable_init=1,nodiscard,root_owner={base}:{base}", str(building)]
    try:
        done = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, text=True,
                              env=ENVIRONMENT, timeout=MKFS_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        building.unlink()
        raise AgentError("start-failed", f"mkfs did not end within {MKFS_SECONDS:g} s") from None
    if done.returncode:
        building.unlink()
        raise AgentError("start-failed", f"mkfs: {done.stderr.strip()}")
    os.setxattr(building, IMAGE_ATTRIBUTE, images.current(settings, spec.image).encode())
    building.rename(path)


def image_of(settings: Settings, spec: Spec) -> str:
    """The reference of the image version that this sandbox's disk began with: what lies on it fits no other."""
    try:
        return os.getxattr(disk_path(settings, spec.name), IMAGE_ATTRIBUTE).decode()
    except OSError:  # a disk from before versions were noted
        return images.current(settings, spec.image)


def drop_disk(settings: Settings, name: str) -> None:
    """Forget what was written, also what was only being made. Repeats safely."""
    for suffix in (".img", ".new"):
        disk_path(settings, name).with_suffix(suffix).unlink(missing_ok=True)


def mount(settings: Settings, spec: Spec, base: int) -> Places:
    """Mount everything of one sandbox; it must not be mounted. Raises AgentError."""
    home = VIEW / spec.name
    layers = images.layers(settings, image_of(settings, spec))
    try:
        for folder in ("disk", "root", "guest", "checks"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)
        disk, root = home / "disk", home / "root"
        mountapi.mount_image(disk_path(settings, spec.name), disk, "ext4")
        disk.chmod(0o711)
        for folder in ("upper", "work", "storage"):
            _own(disk / folder, base)
        _mount_layers(layers, base, disk, root)
        mountapi.bind(images.prepare_guest(settings), home / "guest", read_only=True)
        checks = _bind_checks(spec, home / "checks")
        return Places(root, home / "guest", checks, _storage(spec, disk, root, base))
    except OSError as error:
        unmount(spec.name)
        raise AgentError("start-failed", f"root file system: {error}") from error


def add_hosts(name: str, lines: Sequence[str]) -> None:
    """Append to /etc/hosts what is not in it; a resumed student's own lines stay. Before the first process only.

    A resumed disk may hold anything in that place: no link is followed out of its root, and what is no plain file of
    a sane size is the student's to repair.
    """
    if not lines:
        return
    try:
        file = mountapi.open_inside(VIEW / name / "root", "etc/hosts", os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            known = os.read(file, MAX_HOSTS_BYTES).decode(errors="replace").splitlines()
            os.write(file, "".join(f"{line}\n" for line in lines if line not in known).encode())
    finally:
        os.close(file)


def unmount(name: str) -> None:
    """Take the sandbox's mounts away. Repeats safely."""
    home = VIEW / name
    for folder in ("checks", "guest", "root", "disk"):
        if (home / folder).exists():
            mountapi.unmount(home / folder)
    shutil.rmtree(home, ignore_errors=True)


def _mount_layers(layers: list[Path], base: int, disk: Path, root: Path) -> None:
    """``layers`` topmost first, each seen through the sandbox's ids."""
    namespace = mountapi.user_namespace(base, IDS_PER_SANDBOX)
    trees: list[int] = []
    try:
        for layer in layers:
            trees.append(mountapi.idmapped_clone(layer, namespace))
        try:
            mountapi.overlay(trees, disk / "upper", disk / "work", root)
        except OSError:  # before 6.13 an overlay takes no descriptors: give the layers paths first
            _overlay_by_paths(trees, disk, root)
    finally:
        for descriptor in (namespace, *trees):
            os.close(descriptor)


def _overlay_by_paths(trees: list[int], disk: Path, root: Path) -> None:
    places = [disk.parent / f"layer-{number}" for number in range(len(trees))]
    try:
        for tree, place in zip(trees, places, strict=True):
            place.mkdir(exist_ok=True)
            mountapi.attach(tree, place)
        mountapi.overlay_of_paths(places, disk / "upper", disk / "work", root)
    finally:
        for place in places:
            mountapi.unmount(place)


def _bind_checks(spec: Spec, target: Path) -> Path | None:
    if spec.checks_dir is None or not spec.checks_dir.is_dir():
        return None
    mountapi.bind(spec.checks_dir, target, read_only=True)
    return target


def _storage(spec: Spec, disk: Path, root: Path, base: int) -> Path | None:
    """Folders for engines on the ext4 itself, and the mount points that the container needs for them."""
    if not profiles.find(spec.profile).is_nested:
        return None
    for name in profiles.ENGINE_STORAGE:
        _own(disk / "storage" / name, base)
    return disk / "storage"


def _own(folder: Path, base: int) -> None:
    folder.mkdir(exist_ok=True)
    os.chown(folder, base, base)
    folder.chmod(0o755)
