"""The site's Celery tasks: decode, call, done."""

from typing import Any

from celery import shared_task

from labs import events, sessions
from runtime_agent import protocol


@shared_task(name=protocol.TASK_RECORD_EVENT)
def record_event(**event: Any) -> None:
    events.record(**event)


@shared_task(name="web.watch_sessions")
def watch_sessions() -> None:
    sessions.watch()
