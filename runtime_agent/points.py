"""Points to go back to: copies of a session's disks as they were when a step of its lab began.

    <agent>/points/<session_id>/<number of the step>/<machine>.img, point.json {"step", "bytes", "taken_at"}

A point holds files, never processes. It is built under a hidden name and renamed when it is whole, so whatever kills us
leaves no half of one. How a disk is copied while it is in use is for diskcopy.py to know.

The step a lab begins with has no copy: an empty disk is what it began with. All of a session's points lie on the ids
of its disk, so they go when the disk goes (records.remove). The caller holds the session's lock.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime_agent import diskcopy, protocol, rootfs
from runtime_agent.diskcopy import Skipped, Source, allocated
from runtime_agent.errors import AgentError
from runtime_agent.settings import Settings

MAX_POINTS = 12
MAX_SESSION_BYTES = 512 << 20


class Points:
    """The points of every session of one host. ``disks`` is the module diskcopy, or a fake."""

    def __init__(self, settings: Settings, disks: ModuleType | Any = diskcopy):
        self.settings, self.disks = settings, disks
        self.directory = settings.agent_dir / "points"  # as records.points_dir

    # --- taking -------------------------------------------------------------------------------------------

    def take(self, session_id: str, number: int, step: str, sources: list[Source]) -> None:
        """Keep the disks as they are now, as the beginning of ``step``; what is there already stays.

        Raises Skipped, and then nothing of it is left.
        """
        folder = self._folder(session_id)
        if (folder / f"{number:02d}").exists():
            return
        building = folder / f".building-{number:02d}"
        shutil.rmtree(building, ignore_errors=True)
        try:
            for source in sources:
                self.disks.settle(source)
            self._check_room(sum(allocated(source.image) for source in sources))
            building.mkdir(parents=True, mode=0o700)
            for source in sources:
                self.disks.freeze_and_copy(source, building / f"{source.machine}.img")
            size = sum(allocated(file) for file in building.iterdir())
            (building / "point.json").write_text(json.dumps({"step": step, "bytes": size, "taken_at": time.time()}))
            building.rename(folder / f"{number:02d}")
        except (Skipped, OSError) as error:
            shutil.rmtree(building, ignore_errors=True)
            raise error if isinstance(error, Skipped) else Skipped("disk-full", str(error)) from error
        self._thin_out(session_id)

    def _check_room(self, wanted_bytes: int) -> None:
        space = os.statvfs(self.settings.agent_dir)
        if space.f_bavail * space.f_frsize - wanted_bytes < rootfs.FREE_BYTES_WATERMARK:
            raise Skipped("disk-full", f"{wanted_bytes} bytes would leave less than the watermark")

    def _thin_out(self, session_id: str) -> None:
        """The oldest go first, the newest stays."""
        found = self.list(session_id)
        while len(found) > 1 and (len(found) > MAX_POINTS or sum(point["bytes"] for point in found) > MAX_SESSION_BYTES):
            shutil.rmtree(self._folder(session_id) / f"{found.pop(0)['number']:02d}")

    # --- looking ------------------------------------------------------------------------------------------

    def list(self, session_id: str) -> list[dict[str, Any]]:
        """{"number", "step", "bytes", "taken_at"} of every point, in the order of the steps."""
        files = sorted(self._folder(session_id).glob("[0-9]*/point.json"))
        return [{"number": int(file.parent.name), **json.loads(file.read_text())} for file in files]

    def told(self, session_id: str) -> list[dict[str, Any]]:
        """The same as the site is told it."""
        return [{"step": point["step"], "bytes": point["bytes"]} for point in self.list(session_id)]

    def sizes(self) -> dict[str, int]:
        """Session id -> bytes of its points, for every session that has one."""
        found: dict[str, int] = {}
        for file in self.directory.glob("*/[0-9]*/point.json"):
            session_id = file.parent.parent.name
            found[session_id] = found.get(session_id, 0) + json.loads(file.read_text())["bytes"]
        return found

    def drop_oldest(self, session_id: str) -> str | None:
        """Forget the point of the earliest step; that step, or None if the session has no point."""
        found = self.list(session_id)
        if not found:
            return None
        shutil.rmtree(self._folder(session_id) / f"{found[0]['number']:02d}")
        return found[0]["step"]

    # --- going back ---------------------------------------------------------------------------------------

    def restore(self, session_id: str, number: int, disks: dict[str, Path]) -> None:
        """Put ``disks`` (machine -> image, not mounted) back to the beginning of step ``number``.

        Repeats safely. Raises AgentError "no-point" or "disk-full", and then the disks are as they were.
        """
        point = self._folder(session_id) / f"{number:02d}"
        if not all((point / f"{machine}.img").exists() for machine in disks):
            raise AgentError("no-point", f"step {number}")
        restored = {machine: point.parent / f".back-{machine}.img" for machine in disks}
        try:
            for machine, file in restored.items():
                self.disks.copy_back(point / f"{machine}.img", file)
        except OSError as error:
            for file in restored.values():
                file.unlink(missing_ok=True)
            raise AgentError("disk-full", f"going back to step {number}: {error}") from error
        for machine, file in restored.items():
            file.rename(disks[machine])

    def forget_after(self, session_id: str, number: int) -> None:
        """Drop the points of later steps: they belong to a past that is not this sandbox's any more."""
        for point in self.list(session_id):
            if point["number"] > number:
                shutil.rmtree(self._folder(session_id) / f"{point['number']:02d}")

    def clean_up(self) -> None:
        """Remove what a kill left half made or a power cut tore. Called before anything else uses the points."""
        for leftover in self.directory.glob("*/.*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        for file in self.directory.glob("*/[0-9]*/point.json"):
            try:
                json.loads(file.read_text())
            except ValueError:
                shutil.rmtree(file.parent)

    def _folder(self, session_id: str) -> Path:
        return self.directory / protocol.check_session_id(session_id)
