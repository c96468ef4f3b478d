"""What this host remembers about each session: ``sandboxes/<session_id>/session.json``, and who has ended.

The sandboxes themselves are described by their own state.json; a record says which lab and generation they
belong to and how far their start has come. A record without sandboxes is a start that never got anywhere; a
sandbox without a record is an orphan, and the reaper takes it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime_agent import protocol

SITE = "site"
TOMBSTONE_SECONDS = 24 * 3600
log = logging.getLogger(__name__)


@dataclass
class Record:
    """``state`` is starting, ready or exited. ``owner`` is "site", or "labtest:<pid>" for a lab test's own."""

    session_id: str
    generation: int
    lab: str
    resume: bool = False
    point: str | None = None
    state: str = "starting"
    owner: str = SITE
    accepted_at: float = 0.0
    boot_ms: int = 0


@dataclass(frozen=True)
class Kept:
    """An ended session with its disk; ``size`` in bytes on this host's disk."""

    session_id: str
    generation: int
    ended_at: float
    size: int


class Records:
    """The records below one agent directory. Writing is atomic, reading what is not there gives None."""

    def __init__(self, agent_dir: Path):
        self.sandboxes_dir = agent_dir / "sandboxes"
        self.disks_dir = agent_dir / "disks"
        self.ended_dir = agent_dir / "ended"
        self.points_dir, self.recordings_dir = agent_dir / "points", agent_dir / "recordings"
        for directory in (self.sandboxes_dir, self.disks_dir, self.ended_dir):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def find(self, session_id: str) -> Record | None:
        """None also for a file that a power cut tore: that happens only to a start that has just begun."""
        try:
            return Record(**json.loads((self._directory(session_id) / "session.json").read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            log.error("torn record, taken for none session_id=%s", session_id)
            return None

    def all(self) -> Iterator[Record]:
        for path in sorted(self.sandboxes_dir.glob("*/session.json")):
            if record := self.find(path.parent.name):
                yield record

    def save(self, record: Record) -> None:
        directory = self._directory(record.session_id)
        directory.mkdir(mode=0o700, exist_ok=True)
        _write(directory / "session.json", json.dumps(asdict(record)))

    def progress_path(self, session_id: str) -> Path:
        return self._directory(session_id) / "progress.json"

    def history_path(self, session_id: str) -> Path:
        return self._directory(session_id) / "history.json"

    def machines(self, session_id: str) -> list[str]:
        """Every machine that has left anything on the disk: whole, half made, or only its kept layer."""
        kept = [path.stem[len(session_id) + 1:] for path in self.disks_dir.glob(f"{session_id}-*.img")]
        return sorted({*self.made(session_id), *kept})

    def made(self, session_id: str) -> list[str]:
        """Of these, what is not only kept; a session with a sandbox has no other, and there may be hundreds of disks."""
        directory = self._directory(session_id)
        return sorted(entry.name for entry in directory.iterdir() if entry.is_dir()) if directory.exists() else []

    def disk_path(self, session_id: str, machine: str) -> Path:
        return self.disks_dir / f"{protocol.check_session_id(session_id)}-{machine}.img"

    def keep(self, session_id: str) -> None:
        """Put progress and generation beside the kept disk, where a resume and the reaper find them. May be called twice."""
        if self.progress_path(session_id).exists():
            os.replace(self.progress_path(session_id), self._kept_progress(session_id))
        if record := self.find(session_id):
            _write(self._kept(session_id), json.dumps({"generation": record.generation, "ended_at": time.time()}))

    def kept(self) -> list[Kept]:
        """Every session that has ended and whose disk is kept, the one that ended first first."""
        found = []
        for path in self.disks_dir.glob("*.kept.json"):
            session_id = path.name.partition(".")[0]
            if self.find(session_id) is None:
                found.append(Kept(session_id, size=self.bytes_of(session_id), **_read_kept(path)))
        return sorted(found, key=lambda kept: kept.ended_at)

    def is_kept(self, session_id: str) -> bool:
        return self._kept(session_id).exists()

    def bytes_of(self, session_id: str) -> int:
        """What the session's disks, points and recordings take up on this host's disk."""
        files = [*self.disks_dir.glob(f"{session_id}-*.img"), *(self.points_dir / session_id).glob("*/*.img"),
                 *(self.recordings_dir / session_id).glob("*.cast")]
        return sum(file.stat().st_blocks * 512 for file in files)

    def restore_progress(self, session_id: str) -> None:
        if self._kept_progress(session_id).exists():
            os.replace(self._kept_progress(session_id), self.progress_path(session_id))

    def remove(self, session_id: str, keep: bool) -> None:
        """Forget a session whose sandboxes are gone. May be called twice."""
        directory = self._directory(session_id)
        if not keep:
            self._kept_progress(session_id).unlink(missing_ok=True)
            self._kept(session_id).unlink(missing_ok=True)
            for folder in (self.points_dir, self.recordings_dir):
                shutil.rmtree(folder / session_id, ignore_errors=True)
        for name in ("progress.json", "session.json", "history.json", "progress.new", "session.new", "history.new"):
            (directory / name).unlink(missing_ok=True)
        if directory.exists() and not any(directory.iterdir()):
            directory.rmdir()

    def bury(self, session_id: str, generation: int) -> None:
        """Remember that this generation has ended: a create of it that comes late must not revive it."""
        _write(self.ended_dir / session_id, str(max(generation, self.ended_generation(session_id))))

    def ended_generation(self, session_id: str) -> int:
        """The last generation known to have ended here; -1 if none has, or if a power cut tore what was known."""
        try:
            return int((self.ended_dir / session_id).read_text())
        except (FileNotFoundError, ValueError):
            return -1

    def forget_ended(self, now: float | None = None) -> None:
        """Drop tombstones that no message can be older than."""
        limit = (now or time.time()) - TOMBSTONE_SECONDS
        for path in self.ended_dir.iterdir():
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)

    def forget_recordings(self, older_than: float) -> None:
        """Delete those whose session has neither a record nor anything kept."""
        for folder in self.recordings_dir.glob("*"):
            if folder.stat().st_mtime < older_than and not self.find(folder.name) and not self.machines(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _directory(self, session_id: str) -> Path:
        return self.sandboxes_dir / protocol.check_session_id(session_id)

    def _kept(self, session_id: str) -> Path:
        return self.disks_dir / f"{session_id}.kept.json"

    def _kept_progress(self, session_id: str) -> Path:
        return self.disks_dir / f"{session_id}.progress.json"


def _read_kept(path: Path) -> dict[str, Any]:
    """One that a power cut tore is the first to make room."""
    try:
        return json.loads(path.read_text())
    except ValueError:
        log.error("torn note of a kept disk: %s", path.name)
        return {"generation": 0, "ended_at": 0.0}


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)
