"""How far builds of images are: a small file beside each image, which the heartbeat carries to the operator's page.

    <agent>/images/<name>/progress.json   {"state": "building"|"failed", "percent", "message", "pid", "at"}

The file is there while a build runs and after one that failed; a build that ends well takes it away.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime_agent import images, recipes
from runtime_agent.recipes import ImageError
from runtime_agent.settings import Settings

MESSAGE_CHARACTERS = 300
NEW_PACKAGES = re.compile(r"(\d+) newly installed")
PACKAGES_GUESS = 400
"""Lines "Unpacking" and "Setting up" of an installation, until apt says how many packages it brings."""
STEPS = ("Unpacking", "Setting up", "Get:", "I:", "Running", "Computing")


class Report:
    """Turns the chatter of apt and dpkg into percents, for the caller and for the file. A context: failures are kept."""

    def __init__(self, settings: Settings, name: str, progress: Callable[[int, str], None]):
        self.file = settings.images_dir / name / "progress.json"
        self.name, self.progress = name, progress
        self.expected, self.seen, self.percent = PACKAGES_GUESS, 0, -1

    def __enter__(self) -> Report:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.file.unlink(missing_ok=True)
            return
        words = str(error) if isinstance(error, ImageError) else f"{type(error).__name__}: {error}"
        self._write("failed", max(self.percent, 0), words[-MESSAGE_CHARACTERS:])

    def line(self, line: str) -> None:
        if match := NEW_PACKAGES.search(line):
            self.expected = 2 * int(match[1]) + 2
        if line.startswith(("Unpacking", "Setting up")):
            self.seen += 1
        percent = min(95, 3 + 92 * self.seen // self.expected)
        if line.startswith(STEPS) and percent >= self.percent:
            self.progress(percent, f"{self.name}: {line[:100]}")
            if percent != self.percent:
                self.percent = percent
                self._write("building", percent, line[:100])

    def _write(self, state: str, percent: int, message: str) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"state": state, "percent": percent, "message": message, "pid": os.getpid(),
                                   "at": time.time()}))
        new.rename(self.file)


def states(settings: Settings) -> list[dict[str, Any]]:
    """One line for each recipe and each other image: {"name", "state", "percent", "message", "bytes", "version"}.

    ``state`` is "ready", "old" (another version than the recipe's), "building", "failed" or "missing".
    """
    names = [*recipes.names(), *(name for name in images.installed(settings) if name not in recipes.names())]
    return [_state(settings, name) for name in names]


def _state(settings: Settings, name: str) -> dict[str, Any]:
    line: dict[str, Any] = {"name": name, "state": "missing", "percent": 0, "message": "", "bytes": 0, "version": ""}
    if name in images.installed(settings):
        found = images.facts(settings, images.current(settings, name))
        line |= {"state": "ready", "percent": 100, "bytes": found["bytes"], "version": found["version"]}
    try:
        if line["state"] == "ready" and name in recipes.names() and line["version"] != recipes.version(name):
            line["state"] = "old"
    except ImageError as error:
        line |= {"state": "failed", "message": str(error)}
    report = _read(settings.images_dir / name / "progress.json")
    if report.get("state") == "building" and not Path(f"/proc/{report['pid']}").exists():
        report |= {"state": "failed", "message": "the build was interrupted"}
    return {**line, **{key: report[key] for key in ("state", "percent", "message") if key in report}}


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
