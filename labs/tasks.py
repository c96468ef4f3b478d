"""The site's Celery tasks: decode, call, done."""

import logging
from typing import Any

from celery import shared_task
from django.db import InterfaceError, OperationalError

from labs import event_payload, events, timers
from labs.hosts import watching
from labs.sight import counters, synthetic
from runtime_agent import protocol

DATABASE_AWAY = (OperationalError, InterfaceError)
"""It is locked, full, or being started again. The host has handed the event over and will not say it twice."""
AGAIN_SECONDS = 2
log = logging.getLogger(__name__)


@shared_task(name=protocol.TASK_RECORD_EVENT, autoretry_for=DATABASE_AWAY, max_retries=None, default_retry_delay=AGAIN_SECONDS)
def record_event(**event: Any) -> None:
    try:
        events.record(**event_payload.check_names(event))
    except protocol.ProtocolError as error:
        counters.add(counters.EVENTS_REFUSED, error.reason)
        log.warning("event refused session_id=%s: %s", str(event.get("session_id"))[:40], error)


@shared_task(name="web.watch_sessions")
def watch_sessions() -> None:
    timers.watch()
    counters.note_timers()


@shared_task(name="web.walk_as_student", ignore_result=True)
def walk_as_student() -> None:
    result = synthetic.walk()
    if not result["ok"]:
        log.error("the synthetic student failed at %s: %s", result["failed"], result["why"])


@shared_task(name="web.watch_hosts")
def watch_hosts() -> None:
    watching.watch()
