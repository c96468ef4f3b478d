"""An image from elsewhere: an OCI or Docker archive, an OCI folder, or a registry's reference, made usable for sandboxes.

skopeo copies and umoci unpacks it (Debian packages that an operator installs for this). What a sandbox needs is added:
mount points, root and student. Devices are refused, since no image of ours holds any; set-user-id programs stay, they
only make somebody root of their own sandbox.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

from runtime_agent import debian, image_build, image_progress, images, recipes, tree
from runtime_agent.recipes import NAME, ImageError
from runtime_agent.settings import Settings

TOOLS = ("skopeo", "umoci")
MOUNT_POINTS = ("proc", "sys", "dev", "tmp", "run", "root", ".bulkhead", ".proc", ".sys", "home/student", "etc",
                *(f"var/lib/{name}" for name in ("docker", "containers", "containerd", "lxc", "buildah")))
ACCOUNTS = {"passwd": ("root:x:0:0:root:/root:/bin/sh", "student:x:1000:1000::/home/student:/bin/sh"),
            "group": ("root:x:0:", "student:x:1000:")}


def import_image(settings: Settings, name: str, source: str, progress: image_build.Progress) -> str:
    """Make ``source`` the current version of image ``name``; its reference. Raises ImageError, and nothing stays."""
    if not NAME.fullmatch(name) or name in recipes.names():
        raise ImageError(f"{name!r}: choose a name of small letters, digits and dashes that no recipe of "
                         f"labs/images has ({', '.join(recipes.names())})")
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise ImageError(f"{tool} is not installed here: sudo apt-get install {' '.join(TOOLS)}")
    with image_build.lock(settings, lambda: progress(0, "waiting for another build")), \
            image_progress.Report(settings, name, progress) as report, \
            image_build.staged(settings, f"{name}/new") as building:
        report.line(f"Running skopeo copy {source}")
        digest = _unpack(source, building, report)
        root = building / "rootfs"
        _refuse_devices(root)
        _make_usable(root)
        reference = f"{name}/{digest[:16]}"
        if (settings.images_dir / reference).exists():
            image_build.make_current(settings, reference)
            shutil.rmtree(building)
        else:
            image_build.finish(settings, reference, [], building, report)
    progress(100, f"{reference} is ready, {images.facts(settings, reference)['bytes'] >> 20} MiB; "
                  f"{_set_user_id(settings.images_dir / reference / 'rootfs')} set-user-id programs")
    return reference


def transport(source: str) -> str:
    """What skopeo calls it. Raises ImageError for a file that is no archive of images."""
    path = Path(source)
    if path.is_dir() and (path / "oci-layout").is_file():
        return f"oci:{path.resolve()}"
    if path.is_file():
        try:
            with tarfile.open(path) as archive:
                names = {member.name.removeprefix("./") for member in archive}
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ImageError(f"{source}: no tar archive: {error}") from error
        if "oci-layout" in names:
            return f"oci-archive:{path.resolve()}"
        if "manifest.json" in names:
            return f"docker-archive:{path.resolve()}"
        raise ImageError(f"{source}: neither an OCI archive (oci-layout) nor one of docker save (manifest.json)")
    if source.startswith(("/", ".")):
        raise ImageError(f"{source}: there is no such file or OCI folder")
    return source if "://" in source else f"docker://{source}"


def _unpack(source: str, building: Path, report: image_progress.Report) -> str:
    layout = building / "oci"
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    debian.run(["skopeo", "--insecure-policy", "copy", transport(source), f"oci:{layout}:image"], report.line, environment)
    digest = hashlib.sha256((layout / "index.json").read_bytes()).hexdigest()
    report.line("Running umoci unpack")
    debian.run(["umoci", "raw", "unpack", "--image", f"{layout}:image", str(building / "rootfs")], report.line, environment)
    shutil.rmtree(layout)
    return digest


def _refuse_devices(root: Path) -> None:
    """Archives of whole systems carry a few nodes in /dev: a sandbox gets its own /dev, so those are dropped."""
    for path, entry in tree.walk(root):
        if stat.S_ISCHR(entry.st_mode) or stat.S_ISBLK(entry.st_mode):
            if path.parent != root / "dev":
                raise ImageError(f"the image holds a device, /{path.relative_to(root)}: it is not taken")
            path.unlink()


def _make_usable(root: Path) -> None:
    for name in MOUNT_POINTS:
        folder = _inside(root, name)
        if folder.exists() and not folder.is_dir():
            raise ImageError(f"the image has something else where /{name} must be a folder")
        folder.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    for file, wanted in ACCOUNTS.items():
        path = _inside(root, f"etc/{file}")
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        known = {line.partition(":")[0] for line in lines}
        path.write_text("\n".join([*lines, *(line for line in wanted if line.partition(":")[0] not in known)]) + "\n")
    home = _inside(root, "home/student")
    os.chown(home, 1000, 1000)
    if not os.path.lexists(root / "bin" / "sh") and not os.path.lexists(root / "usr" / "bin" / "sh"):
        raise ImageError("the image has no /bin/sh: a terminal needs one (checks bring their own)")


def _inside(root: Path, name: str) -> Path:
    """``name`` below ``root`` unless a symlink on the way leads out of the tree: then ImageError."""
    path = root / name
    resolved = path.resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise ImageError(f"the image's /{name} leads out of the image: it is not taken")
    return path


def _set_user_id(root: Path) -> int:
    return sum(1 for _, entry in tree.walk(root) if stat.S_ISREG(entry.st_mode) and entry.st_mode & stat.S_ISUID)


def adopt_tree(settings: Settings, name: str, folder: Path, progress: image_build.Progress) -> str:
    """Make a copy of a root tree the current version of image ``name``."""
    with image_build.lock(settings), image_progress.Report(settings, name, progress) as report, \
            image_build.staged(settings, f"{name}/new") as building:
        subprocess.run(["/bin/cp", "-a", "--reflink=auto", str(folder), str(building / "rootfs")], check=True)
        _make_usable(building / "rootfs")
        reference = f"{name}/{tree.digest(building / 'rootfs')[:16]}"
        image_build.finish(settings, reference, [], building, report)
    return reference
