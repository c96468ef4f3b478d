"""What a sandbox starts from when it is resumed, and the points that let a step be started over.

The disks of a resumed session are as they were left; with ``record.point`` they go back to how they were when that
step began. The functions here put sessions, records and points together; whoever calls holds the session's lock.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runtime_agent import mountapi, progress, rootfs
from runtime_agent.diskcopy import Skipped, Source
from runtime_agent.errors import AgentError
from runtime_agent.lab import Lab
from runtime_agent.records import Record

if TYPE_CHECKING:
    from runtime_agent.sessions import Sessions

log = logging.getLogger(__name__)


def first_step(lab: Lab) -> str | None:
    """The step that a session of the lab begins with; it needs no point."""
    steps = {task.step for task in lab.tasks}
    return next((step for step in lab.steps if step in steps), None)


def is_on_kept_files(record: Record, lab: Lab) -> bool:
    """Are there files of the student's on the disks that the sandbox will start from?"""
    return record.resume and record.point != first_step(lab)


def lay_disks(sessions: Sessions, record: Record, lab: Lab) -> None:
    """Before a resumed session's machines are made: see that their disks are what the record says.

    Repeats safely: a machine that lives already has got its disk. Raises AgentError "expired" (no disk is kept),
    "no-point", "bad-message" or "disk-full"; the disks are then as they were.
    """
    session_id = record.session_id
    disks = {machine: sessions.records.disk_path(session_id, machine) for machine in lab.machines
             if sessions.machinery.find(sessions.settings, session_id, machine) is None}
    if record.point is None:
        if gone := [machine for machine, disk in disks.items() if not disk.exists()]:
            raise AgentError("expired", f"no disk of {' '.join(gone)}")
        return
    if record.point not in lab.steps:
        raise AgentError("bad-message", f"the lab has no step {record.point!r}")
    number = lab.steps.index(record.point)
    if is_on_kept_files(record, lab):
        sessions.points.restore(session_id, number, disks)
    else:
        for machine in disks:  # with its ids: a spare that takes its place has others
            sessions.machinery.delete(sessions.settings, session_id, machine, keep_disk=False)
    sessions.points.forget_after(session_id, number)
    path = sessions.records.progress_path(session_id)
    found = progress.load(path)
    found.go_back(lab, record.point)
    progress.save(path, found)


def keep_point(sessions: Sessions, record: Record, lab: Lab, step: str) -> None:
    """``step`` has just begun: keep the disks as they are and say what can be started over, or why it can not."""
    boxes = {machine: sessions.machinery.find(sessions.settings, record.session_id, machine) for machine in lab.machines}
    if None in boxes.values():
        return  # it ended; the next look says so
    sources = [Source(machine, sessions.records.disk_path(record.session_id, machine), rootfs.disk_mount(box.container))
               for machine, box in boxes.items()]
    skipped = None
    try:
        sessions.points.take(record.session_id, lab.steps.index(step), step, sources)
    except Skipped as error:
        log.warning("no point session_id=%s step=%s: %s", record.session_id, step, error)
        skipped = {"step": step, "reason": error.reason}
    sessions.emit("points", record, {"points": sessions.points.told(record.session_id), "skipped": skipped})


def make_room(sessions: Sessions) -> list[tuple[str, str]]:
    """Drop points until those of all running sessions fit into what this host gives them; what went, as (session, step).

    The largest session gives first, its earliest step before later ones; each is told. What ended sessions keep has a
    bound of its own (reaper.make_room).
    """
    ended = {kept.session_id for kept in sessions.records.kept()}
    sizes = {session_id: size for session_id, size in sessions.points.sizes().items() if session_id not in ended}
    dropped = []
    while sizes and sum(sizes.values()) > sessions.settings.points_bytes:
        largest = max(sizes, key=lambda session_id: sizes[session_id])
        with sessions.lock_of(largest):
            if step := _give_way(sessions, largest):
                dropped.append((largest, step))
            sizes[largest] = sessions.points.sizes().get(largest, 0) if step else 0
    return dropped


def _give_way(sessions: Sessions, session_id: str) -> str | None:
    step = sessions.points.drop_oldest(session_id)
    record = sessions.records.find(session_id)
    if step and record:
        log.info("dropped a point session_id=%s step=%s", session_id, step)
        sessions.emit("points", record, {"points": sessions.points.told(session_id),
                                         "skipped": {"step": step, "reason": "made-room"}})
    return step


def clean_up(sessions: Sessions) -> None:
    """After a death of this process: no disk stays frozen, no point half made."""
    sessions.points.clean_up()
    for box in sessions.machinery.living(sessions.settings):
        mountapi.thaw(rootfs.disk_mount(box.container))
