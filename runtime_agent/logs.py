"""The agent's log lines on standard error: plain text, or with BULKHEAD_LOG_FORMAT=json one JSON object a line.

The fields are those of the site (``labsite.logs``): process, event, level, logger, timestamp, and session_id wherever a line is
about a session, so that one grep crosses the system.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

NAMED = re.compile(r"(?:session_id|session|terminal)=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def set_up(process: str) -> None:
    """Called once, before the first line; ``process`` is the name under which its lines are found."""
    handler = logging.StreamHandler()
    if os.environ.get("BULKHEAD_LOG_FORMAT") == "json":
        handler.setFormatter(json_formatter(process))
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s {process} %(levelname)s %(message)s"))
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def follow_tasks() -> None:
    """For the process that works Celery's tasks: all that one logs names its session. The others do without Celery."""
    from celery import signals
    signals.setup_logging.connect(_leave_alone, weak=False)
    signals.task_prerun.connect(_bind, weak=False)
    signals.task_postrun.connect(_unbind, weak=False)


def json_formatter(process: str) -> structlog.stdlib.ProcessorFormatter:
    def name(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"process": process, **event}
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_logger_name,
                           structlog.stdlib.add_log_level, structlog.processors.TimeStamper("iso", utc=True), find_session,
                           structlog.processors.format_exc_info],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, name,
                    structlog.processors.JSONRenderer(default=str)])


def find_session(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: the id that the message names, if no field has it yet."""
    if "session_id" not in event and (found := NAMED.search(str(event.get("event")))):
        event["session_id"] = found[1]
    return event


def _leave_alone(**_: Any) -> None:
    """Celery then sets up no handlers of its own, whose lines would look different."""


def _bind(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    clear_contextvars()
    if session_id := (kwargs or {}).get("session_id"):
        bind_contextvars(session_id=str(session_id)[:40])


def _unbind(**_: Any) -> None:
    clear_contextvars()
