"""What this machine has measured of the course, and the page that shows it: docs/course.md.

`check` notes how long each green lab took, in <state>/log/checks.json; the images know their own sizes.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

from deploy.lab.places import PROJECT, Places

GREEN = re.compile(r"^green +([0-9.]+) s +\d+ tasks +(\S+)$", re.MULTILINE)
MIB = 1 << 20


def note(places: Places, output: str) -> None:
    """Keep the times that `check` has printed; those of other labs stay."""
    file = _file(places)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**times(places), **{slug: float(seconds) for seconds, slug in GREEN.findall(output)}}))


def times(places: Places) -> dict[str, float]:
    try:
        return json.loads(_file(places).read_text())
    except (OSError, ValueError):
        return {}


def write(places: Places) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"seconds": times(places), "sizes": sizes(places)}, file)
        file.flush()
        page = PROJECT / "docs/course.md"
        command = [str(places.python), "-m", "labs.course", "overview", str(page), file.name, "labs/content"]
        return subprocess.run(command, cwd=places.project, check=False).returncode


def sizes(places: Places) -> dict[str, int]:
    """What each image adds, in MiB."""
    found = {}
    for current in (places.state / "agent" / "images").glob("*/current"):
        facts = json.loads((current.resolve() / "image.json").read_text()) if (current / "image.json").exists() else None
        if facts:
            found[facts["name"]] = facts["bytes"] // MIB
    return found


def _file(places: Places) -> Path:
    return places.state / "log" / "checks.json"
