"""Images: read-only root trees on this host, made of layers, several versions at once, never half there.

    <agent>/images/<name>/<version>/rootfs      the image's own layer: a whole tree, or what it adds to the image below
    <agent>/images/<name>/<version>/image.json  {"name", "version", "below", "bytes", "digest", "built_at"}
    <agent>/images/<name>/current               symlink to the version that new sandboxes get
    <agent>/images/<name>/progress.json         while it is built, and after a build that failed (image_progress)

A *reference* is ``name/version``; "below" lists the references of the layers under this one, topmost first. Layers
are owned by root and shared by every sandbox through idmapped mounts. Building is image_build's, removing image_gc's;
this module only reads.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from runtime_agent.errors import AgentError
from runtime_agent.settings import Settings

GUEST_FILES = Path(__file__).resolve().parent / "guest"
HOST_PROGRAMS = {"busybox": "/bin/busybox", "init": "/usr/bin/catatonit"}
"""Static programs of the host's packages that lie in every sandbox's /.bulkhead/bin."""
REFERENCE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}/[a-z0-9][a-z0-9-]{0,63}")


def installed(settings: Settings) -> list[str]:
    """Names of the images that sandboxes can be made from now."""
    return sorted(link.parent.name for link in settings.images_dir.glob("*/current") if link.exists())


def current(settings: Settings, name: str) -> str:
    """The reference that a new sandbox of image ``name`` gets. Raises AgentError("unknown-image")."""
    link = settings.images_dir / name / "current"
    if "/" in name or name.startswith(".") or not link.exists():
        raise AgentError("unknown-image", repr(name))
    return f"{name}/{link.resolve().name}"


def facts(settings: Settings, reference: str) -> dict[str, Any]:
    """The image.json of one version. Raises AgentError("unknown-image")."""
    file = settings.images_dir / reference / "image.json"
    if not REFERENCE.fullmatch(reference) or not file.is_file():
        raise AgentError("unknown-image", f"{reference!r} is not on this host")
    return json.loads(file.read_text())


def layers(settings: Settings, reference: str) -> list[Path]:
    """The root trees that one version is made of, topmost first. Raises AgentError("unknown-image")."""
    references = [reference, *facts(settings, reference).get("below", [])]
    trees = [settings.images_dir / each / "rootfs" for each in references]
    for each, tree in zip(references, trees, strict=True):
        if not tree.is_dir():
            raise AgentError("unknown-image", f"{reference} lies on {each}, which is not on this host")
    return trees


def versions(settings: Settings) -> list[str]:
    """The references of every whole version on this host."""
    return sorted(f"{file.parent.parent.name}/{file.parent.name}"
                  for file in settings.images_dir.glob("[!.]*/[!.]*/image.json") if not file.parent.is_symlink())


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
    listing = subprocess.run([HOST_PROGRAMS["busybox"], "--list"], capture_output=True, text=True, check=True)
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
    descriptor, name = tempfile.mkstemp(prefix=".bashrc-", dir=current.parent)  # several starts may do so at once
    with os.fdopen(descriptor, "wb") as file:
        file.write(wanted)
    os.chmod(name, 0o644)
    os.replace(name, current)
