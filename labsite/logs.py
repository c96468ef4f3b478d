"""Log lines: plain text, or with BULKHEAD_LOG_FORMAT=json one JSON object a line, on standard error either way.

Every line that is about a session has its id in the field ``session_id``: from the address of the request or WebSocket, from the
task's arguments, or from the words ``session_id=...`` or ``terminal=...`` of the message. The agent writes the same fields.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars

NAMED = re.compile(r"(?:session_id|session|terminal)=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
IN_PATH = re.compile(r"/sessions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
SECRET_PATHS = re.compile(r"(/accounts/(?:one-time|password/reset/key)/)[^/]+")
SILENT_PATHS = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds by machines."""
log = logging.getLogger("labsite.requests")


def find_session(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: the id that the message names, if no field has it yet."""
    if "session_id" not in event and (found := NAMED.search(str(event.get("event")))):
        event["session_id"] = found[1]
    return event


def json_formatter(process: str = "site") -> structlog.stdlib.ProcessorFormatter:
    def name(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"process": process, **event}
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_logger_name,
                           structlog.stdlib.add_log_level, structlog.processors.TimeStamper("iso", utc=True), find_session,
                           structlog.processors.format_exc_info],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, name,
                    structlog.processors.JSONRenderer(default=str)])


def bind_task(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    """Celery's task_prerun: what the task logs is about this session."""
    clear_contextvars()
    if session_id := (kwargs or {}).get("session_id"):
        bind_contextvars(session_id=str(session_id)[:40])


def unbind_task(**_: Any) -> None:
    clear_contextvars()


class Requests:
    """ASGI around the whole site: one line for each request, without its query, and the session's id for all lines within."""

    def __init__(self, site: Any):
        self.site = site

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.site(scope, receive, send)
            return
        found = IN_PATH.search(scope["path"])
        with bound_contextvars(**({"session_id": found[1]} if found else {})):
            await self._timed(scope, receive, send)

    async def _timed(self, scope: dict, receive: Any, send: Any) -> None:
        began, status = time.monotonic(), 0

        async def noting(message: dict) -> None:
            nonlocal status
            status = message.get("status") or message.get("code") or status
            await send(message)
        try:
            await self.site(scope, receive, noting)
        finally:
            if scope["path"] not in SILENT_PATHS:
                log.info("%s %s %s %.0f ms", scope.get("method", "WEBSOCKET"), SECRET_PATHS.sub(r"\1...", scope["path"]),
                         status or "-", (time.monotonic() - began) * 1000)
