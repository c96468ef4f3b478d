"""Errors to a Sentry server, if BULKHEAD_SENTRY_DSN names one. Off by default; then nothing here runs.

A log record of level ERROR becomes one event: message, exception with its stack (places and source lines' numbers, never the
values of variables), session_id. Neither users nor addresses nor request bodies are in it. Sending has a thread and a short queue
of its own: a Sentry that is slow or away costs its reports and nothing else.

The form is that of "Envelopes" and "Event Payloads" in Sentry's developer documentation.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import traceback
import uuid
from typing import Any
from urllib import parse, request

import structlog
from environs import ValidationError

from labsite.logs import NAMED

WAITING = 100
SEND_SECONDS = 10
CLIENT = "bulkhead/1"


class BadDsn(ValidationError):
    """The setting is not of the form https://<key>@<host>/<project>."""


def endpoint(dsn: str) -> tuple[str, str]:
    """(address of the envelopes, key). Raises BadDsn."""
    parts = parse.urlsplit(dsn)
    path, _, project = parts.path.rpartition("/")
    if parts.scheme not in ("http", "https") or not parts.username or not parts.hostname or not project.isdigit():
        raise BadDsn("write it as https://<key>@<host>/<project number>")
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{host}{path}/api/{project}/envelope/", parts.username


def check(dsn: str) -> None:
    """A validator of the setting: empty is off."""
    if dsn:
        endpoint(dsn)


class SentryHandler(logging.Handler):
    """Give it to the root logger; ``flush`` waits for what is queued, a few seconds at most."""

    def __init__(self, dsn: str):
        super().__init__(logging.ERROR)
        self.address, self.key = endpoint(dsn)
        self.queue: queue.Queue[dict[str, Any]] = queue.Queue(WAITING)
        threading.Thread(target=self._work, name="sentry", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(event_of(record))
        except queue.Full:
            return  # the flood is in the log

    def flush(self) -> None:
        deadline = time.monotonic() + SEND_SECONDS
        while self.queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)

    def _work(self) -> None:
        while True:
            event = self.queue.get()
            try:
                self._send(event)
            except Exception:  # noqa: S110  (a log line about it would be the next event, and a broken server ends no thread)
                pass
            finally:
                self.queue.task_done()

    def _send(self, event: dict[str, Any]) -> None:
        lines = ({"event_id": event["event_id"]}, {"type": "event"}, event)
        body = "\n".join(json.dumps(line, default=str) for line in lines).encode()
        auth = f"Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={self.key}"
        asked = request.Request(self.address, body, {  # noqa: S310  (the operator's own address)
            "Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth})
        with request.urlopen(asked, timeout=SEND_SECONDS):  # noqa: S310
            return


def event_of(record: logging.LogRecord) -> dict[str, Any]:
    text = record.getMessage()
    session = structlog.contextvars.get_contextvars().get("session_id") or (found[1] if (found := NAMED.search(text)) else None)
    event: dict[str, Any] = {
        "event_id": uuid.uuid4().hex, "timestamp": record.created, "platform": "python", "logger": record.name,
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error", "logentry": {"formatted": text[:2000]},
        "tags": {"session_id": session} if session else {}}
    if record.exc_info and record.exc_info[1]:
        event["exception"] = {"values": [exception_of(record.exc_info[1])]}
    return event


def exception_of(problem: BaseException) -> dict[str, Any]:
    frames = [{"filename": frame.filename, "function": frame.name, "lineno": frame.lineno, "context_line": frame.line}
              for frame in traceback.extract_tb(problem.__traceback__)]
    return {"type": type(problem).__name__, "value": str(problem)[:1000], "module": type(problem).__module__,
            "stacktrace": {"frames": frames}}
