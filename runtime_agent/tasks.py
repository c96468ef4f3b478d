"""What the site may ask of this host: decode, call, done. The work is in ``sessions``.

Started by ``python -m runtime_agent control``, which installs the Sessions object before the worker consumes.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import redis
from celery import Task
from celery.exceptions import Reject

from runtime_agent import protocol, settings
from runtime_agent.capacity import HostFull
from runtime_agent.celeryapp import make_app
from runtime_agent.sessions import Sessions
from runtime_agent.turns import Busy, Waiting

RESUME_RETRY_SECONDS = 2
COMES_BACK = {"autoretry_for": (Busy,), "max_retries": 30, "default_retry_delay": RESUME_RETRY_SECONDS}
"""The site says again what it has heard no answer to, so a message need not come back for ever."""

log = logging.getLogger(__name__)
app = make_app(settings.load(os.environ))


class _Work:
    """Where the control process puts the object that does the work."""

    sessions: Sessions
    waiting = Waiting()


@app.task(name=protocol.TASK_CREATE, bind=True, max_retries=None)
def create(task: Task, session_id: Any, generation: Any, lab: Any, resume: Any = False,
           point: Any = None) -> None:
    _Work.sessions.capacity.note_begun(task.request.id)
    try:
        _Work.sessions.create(session_id, generation, lab, resume, point)
    except (redis.RedisError, Busy) as error:  # whether the run is ours can't be asked: it waits here until it can
        log.warning("create waits session_id=%s: %s", session_id, error)
        _come_back(task, session_id, generation)
    except HostFull:
        if resume:  # its disk is here and nowhere else, so it waits in this host's own queue
            return _come_back(task, session_id, generation)
        _Work.sessions.on_places_changed(2.0)  # before it is put back, or it would come straight here again
        raise Reject("host-full", requeue=True) from None


def _come_back(task: Task, session_id: str, generation: int) -> None:
    """Later, unless another message of the same run does."""
    if _Work.waiting.may_come_back((session_id, generation), task.request.id):
        raise task.retry(countdown=RESUME_RETRY_SECONDS) from None
    log.info("create waits already session_id=%s generation=%d", session_id, generation)


@app.task(name=protocol.TASK_OPEN_TERMINAL, **COMES_BACK)
def open_terminal(session_id: Any, number: Any, machine: Any, rows: Any, cols: Any) -> None:
    _Work.sessions.open_terminal(session_id, number, machine, rows, cols)


@app.task(name=protocol.TASK_CLOSE_TERMINAL, **COMES_BACK)
def close_terminal(session_id: Any, number: Any) -> None:
    _Work.sessions.close_terminal(session_id, number)


@app.task(name=protocol.TASK_CHECK)
def check(session_id: Any) -> None:
    _Work.sessions.check(session_id)


@app.task(name=protocol.TASK_LIMITS)
def limits(session_id: Any, machine: Any, wishes: Any) -> None:
    _Work.sessions.on_limits(session_id, machine, wishes)


@app.task(name=protocol.TASK_DELETE, **COMES_BACK)
def delete(session_id: Any, keep: Any = False, newest: Any = None) -> None:
    _Work.sessions.delete(session_id, keep, newest)


@app.task(name=protocol.TASK_REPORT, **COMES_BACK)
def report(session_id: Any) -> None:
    _Work.sessions.report(session_id)


def install(sessions: Sessions) -> None:
    """Give the tasks their Sessions; called once, before the worker starts."""
    _Work.sessions = sessions
