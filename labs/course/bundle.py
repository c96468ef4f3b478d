"""Publishing a lab: a folder named by the digest of what is in it, which worker hosts read.

    <out>/<digest>/lab.json, checks/..., checks/course/..., the set-up scripts

The digest is sha256 over the sorted lines "<path>\\0<sha256 of the file>\\n"; runtime_agent.content verifies it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from labs.course import shared_checks
from labs.course.loader import Lesson
from runtime_agent.fleet import digest_of


def publish(lesson: Lesson, out_dir: Path) -> str:
    """Write the lesson's lab under ``out_dir``, in one step, unless it is there; its digest."""
    files = files_of(lesson)
    digest = digest_of(files)
    target = Path(out_dir) / digest
    if target.is_dir():
        return digest
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".publishing-", dir=out_dir))
    for name, body in files.items():
        path = building / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        path.chmod(0o644)
    for folder in (building, *(path for path in building.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    try:
        os.rename(building, target)
    except OSError:  # somebody else was first
        shutil.rmtree(building)
    return digest


def files_of(lesson: Lesson) -> dict[str, bytes]:
    """Relative path -> content of everything the worker needs."""
    checks = [path for path in sorted((lesson.path / "checks").rglob("*")) if path.is_file() and not path.is_symlink()]
    names = [path.relative_to(lesson.path).as_posix() for path in checks] + [
        *lesson.lab["setup"].values(), *lesson.lab["resume"].values()]
    files = {name: (lesson.path / name).read_bytes() for name in names}
    files |= {name: path.read_bytes() for name, path in shared_checks.used_by(lesson.path).items()}
    files["lab.json"] = json.dumps(lesson.lab, separators=(",", ":")).encode()
    return files
