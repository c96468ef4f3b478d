"""Carrying on, after a death of this process, with what it had begun."""

from __future__ import annotations

import logging
import threading

import redis

from runtime_agent import rewind
from runtime_agent.capacity import HostFull
from runtime_agent.records import SITE, Record
from runtime_agent.sessions import Sessions
from runtime_agent.turns import Busy

RETRY_SECONDS = 2.0
log = logging.getLogger(__name__)


def run(sessions: Sessions, stopped: threading.Event) -> None:
    """Thread body: end what was left half done, and carry on with every start that was cut short."""
    rewind.clean_up(sessions)
    for record in list(sessions.records.all()):
        if record.state == "starting" and record.owner == SITE:
            log.info("carrying on session_id=%s", record.session_id)
            _carry_on(sessions, record, stopped)


def _carry_on(sessions: Sessions, record: Record, stopped: threading.Event) -> None:
    """A create that has just come may have taken its place: then it waits for another."""
    while not stopped.is_set():
        try:
            sessions.create(record.session_id, record.generation, record.lab, record.resume, record.point)
            return
        except (HostFull, Busy, redis.RedisError) as error:
            log.info("carrying on waits session_id=%s: %r", record.session_id, error)
            stopped.wait(RETRY_SECONDS)
