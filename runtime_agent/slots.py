"""Ranges of user ids, one of 65536 per sandbox, leased as files so that a restart forgets none.

A lease names its owner; asking again as the same owner returns the same slot. Disks carry the ids of their
slot, so a slot stays leased as long as a disk is kept.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime_agent.bundle import IDS_PER_SANDBOX
from runtime_agent.errors import AgentError
from runtime_agent.settings import Settings

FIRST_ID = 1_879_048_192
"""0x70000000: above every range that distributions hand out in /etc/subuid."""
LAST_SLOT = ((1 << 32) - 1 - FIRST_ID) // IDS_PER_SANDBOX - 1


def base_of(slot: int) -> int:
    """The host id of the sandbox's root."""
    return FIRST_ID + slot * IDS_PER_SANDBOX


def lease(settings: Settings, owner: str) -> int:
    """The slot of ``owner``, leased now if it has none. Raises AgentError("host-full")."""
    with _locked(settings) as folder:
        leases = _leases(folder)
        for slot, holder in leases.items():
            if holder == owner:
                return slot
        for slot in range(settings.slot_base, LAST_SLOT + 1):
            if slot not in leases:
                _write(folder / str(slot), owner)
                return slot
    raise AgentError("host-full", "no id range is free")


def release(settings: Settings, owner: str) -> None:
    """Give the slot back. Only when no process and no file of its range is left. Repeats safely."""
    with _locked(settings) as folder:
        for slot, holder in _leases(folder).items():
            if holder == owner:
                (folder / str(slot)).unlink()


def hand_over(settings: Settings, slot: int, owner: str, heir: str) -> None:
    """Let ``heir`` have ``slot``, if it is the one of ``owner``. Raises AgentError("start-failed") if it is not."""
    with _locked(settings) as folder:
        file = folder / str(slot)
        if not file.exists() or file.read_text() != owner:
            raise AgentError("start-failed", f"slot {slot} is not {owner}'s")
        _write(file, heir)


def leased(settings: Settings) -> dict[int, str]:
    """slot -> owner."""
    with _locked(settings) as folder:
        return _leases(folder)


def _leases(folder: Path) -> dict[int, str]:
    return {int(file.name): file.read_text() for file in folder.iterdir() if file.name.isdigit()}


def _write(file: Path, owner: str) -> None:
    """In one step: a lease that names nobody would never come free."""
    building = file.with_suffix(".new")
    building.write_text(owner)
    building.rename(file)


@contextmanager
def _locked(settings: Settings) -> Iterator[Path]:
    folder = settings.agent_dir / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
