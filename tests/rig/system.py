"""The rig's system disk: the host's own release of Debian, its newest kernel, our virtual environment and the images.

Made once from what it is made from (a digest of it names the folder) and never written to afterwards: QEMU puts what
the guest writes beside it. Everything is built in a hidden folder that is renamed at the end.

    <state>/rig/<digest>/system.ext4, vmlinuz, initrd
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.lab import packages
from runtime_agent import bootstrap, debian, image_build, images
from runtime_agent.recipes import Deb
from runtime_agent.settings import Settings

PACKAGES = sorted({*packages.SITE, *packages.WORKER, "kmod", "mount", "python3", "runc", "skopeo", "umoci"})
KERNEL = "linux-image-cloud-amd64"
FIRST_MODULES = ("virtio_pci", "virtio_blk", "ext4")
"""What the kernel needs to see its root; the rest is on the root."""
STATE_INSIDE = "var/lib/bulkhead"
NEEDLESS = "lib/python3*/site-packages/playwright/driver"
"""The largest part of the virtual environment: no browser is driven in the rig."""
SPARE_BYTES = 8 << 30
"""Room for what the tests write: disks of sandboxes, engines' storage."""
FILES = ("system.ext4", "vmlinuz", "initrd")


def prepare(settings: Settings, say: Callable[[str], None]) -> Path:
    """The folder with the rig's three files, made if need be. Raises ImageError or OSError, and leaves nothing half made."""
    home = settings.state_dir / "rig"
    home.mkdir(exist_ok=True, mode=0o700)
    wanted = home / _digest(settings)
    if all((wanted / name).exists() for name in FILES):
        return wanted
    for old in home.iterdir():
        shutil.rmtree(old)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
    try:
        with image_build.lock(settings, lambda: say("waiting for an image's build")):
            tree = building / "tree"
            say("Debian")
            bootstrap.bootstrap(settings, debian.own_suite(), PACKAGES, tree, lambda line: None)
            say("kernel")
            _kernel(settings, tree, building)
            say("images and virtual environment")
            _add_ours(settings, tree)
        say("disk")
        _disk(tree, building / "system.ext4")
        for leftover in ("tree", "kernel", "first"):
            shutil.rmtree(building / leftover)
        building.rename(wanted)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return wanted


def _digest(settings: Settings) -> str:
    """Of everything that the disk is made from, so far as it can change without this file."""
    facts = (PACKAGES, debian.own_suite(), _references(settings), (settings.state_dir / ".venv.made-from").read_text(),
             Path(__file__).read_text())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _references(settings: Settings) -> list[str]:
    return [images.current(settings, name) for name in images.installed(settings)]


def _kernel(settings: Settings, tree: Path, building: Path) -> None:
    """Debian's kernel without its installation: it would make an initrd of 30 MB, for hardware that isn't there."""
    debs = building / "kernel"
    debs.mkdir()
    apt = debian.Apt(settings, tree, lambda line: None, debian.own_suite())
    package = apt.fetch(Deb(KERNEL, debian.own_suite(), "linux-image-*-cloud-amd64"), debs)
    _run("dpkg-deb", "-x", package, debs / "files")
    shutil.copy(next((debs / "files/boot").glob("vmlinuz-*")), building / "vmlinuz")
    release = next((debs / "files/lib/modules").iterdir())
    shutil.copytree(release, tree / "usr/lib/modules" / release.name)
    _run("chroot", tree, "/sbin/depmod", release.name)
    _first_file_system(tree / "usr/lib/modules" / release.name, building)


def _first_file_system(modules: Path, building: Path) -> None:
    """An initrd of busybox and the few modules with which the root disk can be mounted."""
    first = building / "first"
    for folder in ("bin", "modules", "new", "proc", "dev"):
        (first / folder).mkdir(parents=True)
    shutil.copy(images.HOST_PROGRAMS["busybox"], first / "bin/busybox")
    names = in_order(modules)
    for number, name in enumerate(names):
        shutil.copy(modules / name, first / "modules" / f"{number:02d}-{Path(name).name}")
    (first / "init").write_text(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexport PATH=/bin\nmount -t devtmpfs dev /dev\n"
        "for module in /modules/*; do insmod $module; done\nuntil [ -e /dev/vdb ]; do sleep 0.1; done\n"
        "mount -t ext4 /dev/vda /new\nmount -t ext4 -o ro /dev/vdb /new/project\nmount -t devtmpfs dev /new/dev\numount /dev\n"
        "exec switch_root /new /bin/sh /project/tests/rig/guest.sh\n")
    (first / "init").chmod(0o755)
    listing = subprocess.run(["find", "."], cwd=first, check=True, capture_output=True).stdout
    archive = subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=first, input=listing, check=True,
                             capture_output=True).stdout
    (building / "initrd").write_bytes(archive)


def in_order(modules: Path) -> list[str]:
    """Files of FIRST_MODULES and what they need, each after its needs (modules.dep(5) names the nearest first)."""
    needs = dict(line.split(":", 1) for line in (modules / "modules.dep").read_text().splitlines())
    found: list[str] = []
    for wanted in FIRST_MODULES:
        for name in (name for name in needs if Path(name).name.startswith(f"{wanted}.ko")):
            found += [each for each in [*reversed(needs[name].split()), name] if each not in found]
    return found


def _add_ours(settings: Settings, tree: Path) -> None:
    """By hard links, which cost nothing: nobody writes to the tree from here on."""
    for reference in _references(settings):
        for each in [reference, *images.facts(settings, reference)["below"]]:
            target = tree / STATE_INSIDE / "agent/images" / each
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _run("cp", "-al", settings.images_dir / each, target)
        name, _, version = reference.partition("/")
        (tree / STATE_INSIDE / "agent/images" / name / "current").symlink_to(version)
    _run("cp", "-al", settings.state_dir / "venv", tree / STATE_INSIDE / "venv")
    for folder in (tree / STATE_INSIDE / "venv").glob(NEEDLESS):
        shutil.rmtree(folder)
    (tree / "project").mkdir()


def _disk(tree: Path, target: Path) -> None:
    used = int(subprocess.run(["du", "-s", "--block-size=1", tree], check=True, capture_output=True,
                              text=True).stdout.split()[0])
    os.truncate(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600), used * 5 // 4 + SPARE_BYTES)
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=1", "-d", tree, target)


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", check=False, env={**os.environ, **bootstrap.SHELL_ENVIRONMENT})
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))} failed: {done.stderr.strip()[-500:]}")
