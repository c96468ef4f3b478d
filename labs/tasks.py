"""The site's Celery tasks: decode, call, done."""

import logging
from typing import Any

from celery import shared_task
from prometheus_client import Counter

from labs import event_payload, events, timers
from runtime_agent import protocol

log = logging.getLogger(__name__)
refused = Counter("bulkhead_events_refused_total", "Events of workers that broke the protocol", ["reason"])


@shared_task(name=protocol.TASK_RECORD_EVENT)
def record_event(**event: Any) -> None:
    try:
        events.record(**event_payload.check_names(event))
    except protocol.ProtocolError as error:
        refused.labels(error.reason).inc()
        log.warning("event refused session_id=%s: %s", str(event.get("session_id"))[:40], error)


@shared_task(name="web.watch_sessions")
def watch_sessions() -> None:
    timers.watch()
