"""Taking away what no session owns: ``sandbox.delete`` over every sandbox without a living record.

Orphans come from a kill at the wrong moment, from a site that lost its database, and from lab tests that were
killed. Deleting works from the id alone and may be repeated, so the reaper needs no memory of its own.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from types import ModuleType
from typing import Any

from runtime_agent import conmon, protocol, rewind, sandbox
from runtime_agent.errors import STUCK
from runtime_agent.records import SITE, Record
from runtime_agent.sessions import Sessions
from runtime_agent.turns import Busy

PERIOD_SECONDS = 60.0
MAX_AGE_SECONDS = 24 * 3600
"""No lab may last longer (lab_reader.Bounds.minutes); what is older, the site has forgotten."""
YOUNG_SECONDS = 30.0
log = logging.getLogger(__name__)


def reap(sessions: Sessions, *, machinery: ModuleType | Any = sandbox, now: float | None = None) -> list[str]:
    """Delete every orphan once; return the session ids that went."""
    now = now or time.time()
    gone = []
    for session_id in _session_ids(sessions):
        try:
            if _reap_one(sessions, session_id, machinery, now):
                log.info("reaped session_id=%s", session_id)
                gone.append(session_id)
        except (*STUCK, Busy) as error:  # the others need not wait for it
            log.error("can't be reaped now session_id=%s: %s", session_id, error)
    sessions.records.forget_ended(now)
    sessions.records.forget_recordings(now - YOUNG_SECONDS)
    return gone + make_room(sessions)


def _reap_one(sessions: Sessions, session_id: str, machinery: ModuleType | Any, now: float) -> bool:
    record = sessions.records.find(session_id)
    if record is None or record.owner != SITE:
        return not _is_somebodys(sessions, session_id, record, now) and _forget(sessions, session_id, machinery)
    elif now - record.accepted_at > MAX_AGE_SECONDS:
        sessions.delete(session_id, keep=True)
    else:
        return False
    return True


def make_room(sessions: Sessions) -> list[str]:
    """Drop kept disks until they fit into what this host keeps, those that ended first; return the sessions."""
    kept, dropped = sessions.records.kept(), []
    while kept and sum(one.size for one in kept) > sessions.settings.kept_bytes:
        sessions.drop_kept(kept[0])
        dropped.append(kept.pop(0).session_id)
    return dropped


def _forget(sessions: Sessions, session_id: str, machinery: ModuleType | Any) -> bool:
    """The site never knew of it, so nothing is emitted. Or it is what a delete left that was killed when it had kept the
    files: those stay. False if a create was faster."""
    with sessions.lock_of(session_id):
        record = sessions.records.find(session_id)
        if record is not None and record.owner == SITE:
            return False
        keep = sessions.records.is_kept(session_id)
        for machine in sessions.records.machines(session_id):
            machinery.delete(sessions.settings, session_id, machine, keep_disk=keep)
        sessions.records.remove(session_id, keep)
    return True


def _session_ids(sessions: Sessions) -> list[str]:
    names = sorted(entry.name for entry in sessions.records.sandboxes_dir.iterdir())
    return [name for name in names if _is_session_id(name)]


def _is_session_id(name: str) -> bool:
    try:
        return bool(protocol.check_session_id(name))
    except protocol.ProtocolError:
        return False


def _is_somebodys(sessions: Sessions, session_id: str, record: Record | None, now: float) -> bool:
    """A lab test that lives owns its record; one without a record yet may be just making it."""
    if record is not None:
        return os.path.exists(f"/proc/{record.owner.partition(':')[2]}")
    return now - (sessions.records.sandboxes_dir / session_id).stat().st_mtime < YOUNG_SECONDS


def run(sessions: Sessions, stopped: threading.Event) -> None:
    """Thread body: reap at once and then every minute."""
    while not stopped.is_set():
        try:
            reap(sessions)
            rewind.make_room(sessions)
            conmon.clean_up(sessions.settings, time.time())
        except STUCK:
            log.exception("reaper failed; it tries again in %g s", PERIOD_SECONDS)
        stopped.wait(PERIOD_SECONDS)
