"""Images: read-only root trees on this host, built from recipes, never half there.

    <agent>/images/<name>/<version>/rootfs    owned by root, shared by every sandbox through idmapped mounts
    <agent>/images/<name>/<version>/image.json  {"name", "version", "bytes", "built_at", "layers"}
    <agent>/images/<name>/current             symlink to the version that new sandboxes get

A build happens under a hidden name and is renamed at its end; a running sandbox keeps the version it began with.
The version is a digest of the recipe, so an unchanged recipe is built once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runtime_agent.errors import AgentError
from runtime_agent.settings import Settings

RECIPES = Path(__file__).resolve().parent.parent / "labs" / "images"
SUITE = "bookworm"
GUEST_FILES = Path(__file__).resolve().parent / "guest"
HOST_PROGRAMS = {"busybox": "/bin/busybox", "init": "/usr/bin/catatonit"}
"""Static programs of the host's packages that lie in every sandbox's /.bulkhead/bin."""
MMDEBSTRAP_OPTIONS = [
    "--verbose", "--variant=apt", "--mode=root", "--format=directory",
    "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
    "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*", "--dpkgopt=force-unsafe-io"]
Progress = Callable[[int, str], None]


def installed(settings: Settings) -> list[str]:
    """Names of the images that sandboxes can be made from now."""
    return sorted(link.parent.name for link in settings.images_dir.glob("*/current") if link.exists())


def rootfs(settings: Settings, name: str) -> Path:
    """The current root tree of image ``name``, with symlinks resolved. Raises AgentError("unknown-image")."""
    link = settings.images_dir / name / "current"
    if "/" in name or name.startswith(".") or not link.exists():
        raise AgentError("unknown-image", repr(name))
    return link.resolve() / "rootfs"


def prepare_guest(settings: Settings) -> Path:
    """Gather what every sandbox sees at /.bulkhead: a static shell, an init, the shell's start file."""
    target = settings.guest_dir
    if (target / ".complete").exists():
        _renew_bashrc(target)
        return target
    settings.agent_dir.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".guest-", dir=settings.agent_dir))
    for folder in ("bin", "etc", "checks"):
        (building / folder).mkdir()
    for name, source in HOST_PROGRAMS.items():
        shutil.copy(source, building / "bin" / name)
        (building / "bin" / name).chmod(0o755)
    listing = subprocess.run([HOST_PROGRAMS["busybox"], "--list"], capture_output=True, text=True, check=True)  # noqa: S603
    for applet in listing.stdout.split():
        if not (building / "bin" / applet).exists():
            (building / "bin" / applet).symlink_to("busybox")
    shutil.copy(GUEST_FILES / "bashrc", building / "etc" / "bashrc")
    for path in (building, *building.iterdir()):
        path.chmod(0o755)
    (building / "etc" / "bashrc").chmod(0o644)
    (building / ".complete").touch()
    try:
        building.rename(target)
    except OSError:  # somebody else was first
        shutil.rmtree(building)
    return target


def _renew_bashrc(guest: Path) -> None:
    """Replace the start file of an earlier version, also under running sandboxes: their next shell reads it."""
    current, wanted = guest / "etc" / "bashrc", (GUEST_FILES / "bashrc").read_bytes()
    if current.read_bytes() == wanted:
        return
    renewed = current.with_suffix(".new")
    renewed.write_bytes(wanted)
    renewed.chmod(0o644)
    renewed.replace(current)


def recipe_version(name: str) -> str:
    """The digest of the recipe ``labs/images/<name>``. Raises AgentError("unknown-image")."""
    folder = RECIPES / name
    if not (folder / "packages").is_file():
        raise AgentError("unknown-image", f"no recipe labs/images/{name}/packages")
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def build(settings: Settings, name: str, progress: Progress) -> Path:
    """Build image ``name`` from its recipe and make it current; an existing one is only made current.

    Raises AgentError("start-failed") with the last words of mmdebstrap; nothing half-built stays.
    """
    version = recipe_version(name)
    home = settings.images_dir / name
    if (home / version / "image.json").exists():
        _make_current(home, version)
        progress(100, f"{name} is built already")
        return home / version
    home.mkdir(parents=True, exist_ok=True)
    _drop_leftovers(home)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
    try:
        _bootstrap(name, building / "rootfs", progress)
        _finish(home, name, version, building)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    progress(100, f"{name} is ready")
    return home / version


def adopt_tree(settings: Settings, name: str, tree: Path) -> Path:
    """Make a copy of an existing root tree the current image ``name``."""
    home = settings.images_dir / name
    home.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
    subprocess.run(["/bin/cp", "-a", "--reflink=auto", str(tree), str(building / "rootfs")], check=True)  # noqa: S603
    version = f"adopted-{int(time.time())}"
    _finish(home, name, version, building)
    return home / version


def _bootstrap(name: str, target: Path, progress: Progress) -> None:
    recipe = RECIPES / name
    packages = ",".join(line.strip() for line in (recipe / "packages").read_text().splitlines()
                        if line.strip() and not line.startswith("#"))
    command = ["mmdebstrap", *MMDEBSTRAP_OPTIONS, f"--include={packages}"]
    if (recipe / "setup.sh").exists():
        command.append(f"--customize-hook=chroot \"$1\" /bin/sh -eu < {recipe / 'setup.sh'}")
    command += [SUITE, str(target), *_package_sources()]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,  # noqa: S603
                             stderr=subprocess.STDOUT, text=True, errors="replace",
                             env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    last = _follow(child, packages.count(",") + 1, progress)
    if child.wait():
        raise AgentError("start-failed", f"building {name}: {' | '.join(last)}")


def _follow(child: subprocess.Popen, named_packages: int, progress: Progress) -> list[str]:
    """Turn dpkg's chatter into percents; return its last lines. Every named package brings about three more."""
    expected, seen, last = 2 * (named_packages * 4 + 40), 0, []
    for line in child.stdout:
        last = [*last[-4:], line.strip()]
        if line.startswith(("Unpacking", "Setting up", "Selecting")):
            seen += 1
        if line.startswith(("I:", "Setting up", "Unpacking")):
            progress(min(95, 5 + 90 * seen // expected), line.strip()[:100])
    return last


def _package_sources() -> list[str]:
    """The host's own sources for the suite, whatever they are: no mirror is named by us."""
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.sources")), *sorted(folder.glob("*.list"))]
    wanted = [str(file) for file in files if file.is_file() and f"{SUITE}" in _active_lines(file)
              and " main" in _active_lines(file)]
    if not wanted:
        raise AgentError("start-failed", f"no Debian source for {SUITE} in /etc/apt")
    return [file for file in wanted if _is_debian(Path(file))]


def _active_lines(file: Path) -> str:
    return "\n".join(line for line in file.read_text(errors="replace").splitlines() if not line.startswith("#"))


def _is_debian(file: Path) -> bool:
    """Third parties name their suites after Debian's; only Debian's own have its keyring or its archive's path."""
    text = _active_lines(file)
    return "debian-archive" in text or "/debian" in text


def _finish(home: Path, name: str, version: str, building: Path) -> None:
    size = sum(entry.lstat().st_blocks * 512 for entry in building.rglob("*"))
    (building / "image.json").write_text(json.dumps(
        {"name": name, "version": version, "bytes": size, "built_at": int(time.time()), "layers": ["rootfs"]}))
    building.chmod(0o755)
    building.rename(home / version)
    _make_current(home, version)


def _make_current(home: Path, version: str) -> None:
    link = home / f".current-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    link.rename(home / "current")


def _drop_leftovers(home: Path) -> None:
    for leftover in home.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)
