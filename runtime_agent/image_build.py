"""Building an image from its recipe: under a hidden name, in a mount namespace of its own, renamed at the end.

An image without ``from`` is made by mmdebstrap. A layer is the upper folder of an overlay over the image below, in
which apt and setup.sh have worked; its size is what it adds. Only whole versions have an image.json and can become
``current``. One build runs on a host at a time; others wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runtime_agent import bootstrap, debian, eggs, image_progress, images, mountapi, recipes, tree
from runtime_agent.recipes import SUITE, ImageError, Recipe
from runtime_agent.settings import Settings

NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
WORKSHOP = ".recipe"
"""Where setup.sh finds its recipe while it runs; gone afterwards."""
FETCHED = ("debs", "eggs")
"""Lists in a recipe; in the workshop, folders with what they name."""
NO_SERVICES = "usr/sbin/policy-rc.d"
Progress = Callable[[int, str], None]


def build(settings: Settings, name: str, progress: Progress) -> str:
    """Build image ``name`` and what it stands on; the reference that is current then. A built one is only made current.

    Call it in a process of its own: it leaves the mount namespace. Raises ImageError with the last words of what
    failed; nothing half-built stays.
    """
    chain = recipes.chain(name)
    with lock(settings, lambda: progress(0, "waiting for another build")):
        for recipe in chain:
            report = image_progress.Report(settings, recipe.name, progress)
            with report:
                reference = _build_one(settings, recipe, report)
    progress(100, f"{reference} is ready, {images.facts(settings, reference)['bytes'] >> 20} MiB")
    return reference


@contextlib.contextmanager
def lock(settings: Settings, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Only one process changes the images of a host."""
    settings.images_dir.mkdir(parents=True, exist_ok=True)
    with (settings.images_dir / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_one(settings: Settings, recipe: Recipe, report: image_progress.Report) -> str:
    reference = f"{recipe.name}/{recipes.version(recipe.name)}"
    if (settings.images_dir / reference / "image.json").exists():
        _note_digest(settings, reference)
        make_current(settings, reference)
        return reference
    with staged(settings, reference) as building:
        below = []
        if recipe.below:
            lower = images.current(settings, recipe.below)
            below = [lower, *images.facts(settings, lower).get("below", [])]
            _layer(settings, recipe, below, building, report)
        else:
            _bootstrap(settings, recipe, building / "rootfs", report)
        finish(settings, reference, below, building, report)
    return reference


def _note_digest(settings: Settings, reference: str) -> None:
    """Versions built before digests were kept get theirs now."""
    home, found = settings.images_dir / reference, images.facts(settings, reference)
    if "digest" not in found:
        new = home / ".image.json"
        new.write_text(json.dumps({**found, "below": [], "digest": tree.digest(home / "rootfs")}))
        new.rename(home / "image.json")


# --- the lowest: a Debian ---------------------------------------------------------------------------------


def _bootstrap(settings: Settings, recipe: Recipe, target: Path, report: image_progress.Report) -> None:
    hooks = [f"--customize-hook=chroot \"$1\" /bin/sh -eu < {recipe.setup}"] if recipe.setup else []
    bootstrap.bootstrap(settings, SUITE, recipe.packages, target, report.line, hooks)
    tree.clean(target)


# --- a layer on top ---------------------------------------------------------------------------------------


def _layer(settings: Settings, recipe: Recipe, below: list[str], building: Path, report: image_progress.Report) -> None:
    mountapi.unshare(mountapi.CLONE_NEWNS)
    mountapi.mount("none", Path("/"), "none", mountapi.MS_REC | mountapi.MS_PRIVATE)
    root = building / "root"
    for folder in ("rootfs", "work", "root", "workshop"):
        (building / folder).mkdir()
    (building / "rootfs").chmod(0o755)
    workshop = building / "workshop"
    shutil.copytree(recipe.folder, workshop, dirs_exist_ok=True)
    for fetched in FETCHED:
        (workshop / fetched).unlink(missing_ok=True)
        (workshop / fetched).mkdir()
    mountapi.overlay_of_paths(images.layers(settings, below[0]), building / "rootfs", building / "work", root)
    try:
        _mount_inside(settings, root, workshop)
        _fill(settings, recipe, root, workshop, report)
    finally:
        _unmount_inside(root)
    tree.clean(root)  # not before: the package cache was mounted there
    (root / WORKSHOP).rmdir()
    (root / NO_SERVICES).unlink()
    mountapi.unmount(root)
    for folder in ("work", "root", "workshop"):
        shutil.rmtree(building / folder)


def _fill(settings: Settings, recipe: Recipe, root: Path, workshop: Path, report: image_progress.Report) -> None:
    apt = debian.Apt(settings, root, report.line)
    if recipe.packages:
        apt.install(recipe.packages)
    for deb in recipe.debs:
        debian.Apt(settings, root, report.line, deb.suite).fetch(deb, workshop / "debs")
    for egg in recipe.eggs:
        eggs.fetch(settings, egg, workshop / "eggs", report.line)
    if recipe.setup:
        report.line("Running setup.sh")
        command = ["unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc", "--net", "--ipc", "--uts",
                   "chroot", str(root), "/bin/sh", "-euc", f"cd /{WORKSHOP}; exec /bin/sh -eu ./setup.sh"]
        debian.run(command, report.line, bootstrap.SHELL_ENVIRONMENT)


INSIDE = ("proc", "dev", "run", "tmp", "var/cache/apt/archives", WORKSHOP)


def _mount_inside(settings: Settings, root: Path, workshop: Path) -> None:
    """What maintainer scripts may see: their own /proc, six harmless devices, the packages. No network in setup.sh."""
    (root / WORKSHOP).mkdir(exist_ok=True)
    (root / NO_SERVICES).write_text("#!/bin/sh\nexit 101\n")
    (root / NO_SERVICES).chmod(0o755)
    mountapi.mount("proc", root / "proc", "proc", mountapi.MS_NOSUID | mountapi.MS_NODEV)
    for folder in ("dev", "run", "tmp"):
        mountapi.mount("image", root / folder, "tmpfs", mountapi.MS_NOSUID, "mode=0755")
    for name, (major, minor) in NODES.items():
        os.mknod(root / "dev" / name, 0o020666, os.makedev(major, minor))
        (root / "dev" / name).chmod(0o666)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(target)
    (root / "tmp").chmod(0o1777)
    mountapi.mount(debian.cache(settings) / "archives", root / "var/cache/apt/archives", "none", mountapi.MS_BIND)
    mountapi.mount(workshop, root / WORKSHOP, "none", mountapi.MS_BIND)


def _unmount_inside(root: Path) -> None:
    for folder in reversed(INSIDE):
        mountapi.unmount(root / folder)


# --- the end ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def staged(settings: Settings, reference: str) -> Iterator[Path]:
    """A hidden folder beside the versions; whatever happens, it is gone afterwards."""
    home = (settings.images_dir / reference).parent
    home.mkdir(parents=True, exist_ok=True)
    for leftover in home.glob(".building-*"):
        shutil.rmtree(leftover)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
    try:
        yield building
    except BaseException as error:
        _unmount_inside(building / "root")
        mountapi.unmount(building / "root")
        shutil.rmtree(building, ignore_errors=True)
        if isinstance(error, OSError | subprocess.SubprocessError):
            raise ImageError(f"building {reference}: {error}") from error
        raise


def finish(settings: Settings, reference: str, below: list[str], building: Path, report: image_progress.Report) -> None:
    """Make the folder a version: settled, measured, on disk, renamed. The rename is what makes it exist."""
    report.line("Computing the digest")
    root = building / "rootfs"
    tree.settle(root)
    name, _, version = reference.partition("/")
    (building / "image.json").write_text(json.dumps(
        {"name": name, "version": version, "below": below, "bytes": tree.size_bytes(root), "digest": tree.digest(root),
         "built_at": int(time.time())}))
    building.chmod(0o755)
    subprocess.run(["/bin/sync", "--file-system", str(building)], check=True)
    building.rename(settings.images_dir / reference)
    make_current(settings, reference)


def make_current(settings: Settings, reference: str) -> None:
    home, version = (settings.images_dir / reference).parent, reference.partition("/")[2]
    link = home / f".current-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    link.rename(home / "current")
