"""What a Celery worker takes from its queues: only messages that Celery can work, each made anew from the parts we use.

Whoever may write to a queue (every worker host writes to ``web`` and ``sandboxes``) could otherwise end the worker that
reads it: kombu and Celery let the errors of a message that is no JSON, or JSON of another shape, out of their loop, and
put some of these messages back, for the next worker to end on. A message also says what is to be sent after it, and to
which queue it goes back; both would be done with the rights of who works it, so neither is taken over.
The site imports this too, so it knows nothing of the agent.
"""

from __future__ import annotations

import base64
import inspect
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import kombu.transport
from kombu.transport import redis, virtual
from redis.exceptions import OutOfMemoryError

MAX_BODY_CHARS = 1 << 20
MAX_DELAY = timedelta(days=1)
"""A message with a later ``eta`` would lie in the worker's memory; our own delays are seconds."""
REASONS = ("no-json", "bad-envelope", "bad-body", "too-large", "unknown-task", "bad-arguments")
UNDECODED = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What kombu.utils.json raises for texts that are no JSON, or are for its own types' decoders."""
log = logging.getLogger(__name__)


class Refused(Exception):
    """This message is not worked. ``reason`` is one of REASONS; the text is for the log."""

    def __init__(self, reason: str, text: str):
        super().__init__(text)
        self.reason = reason


class Intake:
    """The sieve of one Celery application. ``count`` is called with the reason of each refusal."""

    def __init__(self, app: Any, count: Callable[[str], None]):
        self.app, self.count = app, count

    def refuse(self, reason: str, queue: str, text: object) -> None:
        self.count(reason)
        log.warning("message refused queue=%s: %s: %.200r", queue, reason, str(text))

    def remade(self, message: Any, queue: str) -> dict[str, Any]:
        """The message as Celery's protocol 2 has it, https://docs.celeryq.dev/en/stable/internals/protocol.html .
        Raises Refused."""
        headers, properties = _part(message, "headers"), _part(message, "properties")
        name, task_id = headers.get("task"), headers.get("id")
        if (message.get("content-type"), message.get("content-encoding")) != ("application/json", "utf-8"):
            raise Refused("bad-envelope", "its content is not said to be JSON")
        retries = headers.get("retries") or 0
        if not _is_uuid(task_id) or not isinstance(retries, int) or not 0 <= retries < 2**31:
            raise Refused("bad-envelope", "id or retries")
        arguments, named = _arguments(message.get("body"), properties.get("body_encoding"))
        self._check_call(name, arguments, named)
        body = base64.b64encode(json.dumps([arguments, named, {}]).encode()).decode()
        return {"body": body, "content-type": "application/json", "content-encoding": "utf-8",
                "headers": {"lang": "py", "task": name, "id": task_id, "root_id": task_id, "parent_id": None, "group": None,
                            "retries": retries, "eta": _moment(headers, "eta"), "expires": _moment(headers, "expires")},
                "properties": {"correlation_id": task_id, "reply_to": "", "delivery_mode": 2, "priority": 0,
                               "body_encoding": "base64", "delivery_tag": str(uuid4()),
                               "delivery_info": {"exchange": "", "routing_key": queue}}}

    def _check_call(self, name: Any, arguments: list, named: dict) -> None:
        if not isinstance(name, str) or name not in self.app.tasks or name.startswith("celery."):
            raise Refused("unknown-task", repr(name))
        try:
            inspect.signature(self.app.tasks[name].run).bind(*arguments, **named)
        except TypeError as error:
            raise Refused("bad-arguments", f"{name}: {error}") from None


def _part(message: Any, name: str) -> dict[str, Any]:
    found = message.get(name) if isinstance(message, dict) else None
    if not isinstance(found, dict):
        raise Refused("bad-envelope", f"no {name}")
    return found


def _arguments(body: Any, encoding: Any) -> tuple[list, dict]:
    """Plain JSON: none of kombu's typed values, which no task of ours is sent."""
    if not isinstance(body, str) or encoding != "base64":
        raise Refused("bad-body", "it is no text in base64")
    if len(body) > MAX_BODY_CHARS:
        raise Refused("too-large", f"{len(body)} characters")
    try:
        arguments, named, _follow_ups = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused("bad-body", type(error).__name__) from None
    if not isinstance(arguments, list) or not isinstance(named, dict):
        raise Refused("bad-body", "it holds no arguments")
    return arguments, named


def _moment(headers: dict[str, Any], name: str) -> str | None:
    """An ISO time, not too far ahead, or None."""
    text = headers.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment.astimezone(UTC) > datetime.now(UTC) + MAX_DELAY:
            raise Refused("bad-envelope", f"{name} is too far ahead")
    except (ValueError, TypeError, OverflowError):
        raise Refused("bad-envelope", f"{name} is no moment") from None
    return text


def _is_uuid(value: Any) -> bool:
    try:
        return str(UUID(value)) == value
    except (ValueError, TypeError, AttributeError):
        return False


class QoS(redis.QoS):
    """kombu's, but a message that Redis did not let us acknowledge is no longer counted as being worked. Else each takes one
    of the few places for good, and the worker lives on and takes nothing more. Redis hands the message out once more when
    its time is over, which a repeat may."""

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except OutOfMemoryError:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)
        except OutOfMemoryError:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def restore_visible(self, *args: Any, **options: Any) -> None:
        """Also done while a connection is made, where an error would leave its sockets open, twelve more each second."""
        try:
            super().restore_visible(*args, **options)
        except OutOfMemoryError as error:
            log.warning("nothing is handed out again for now: %s", error)


class Channel(redis.Channel):
    """kombu's, but what can't be decoded is refused; it has been taken out of its queue already."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.is_delivering = False
        try:
            return super()._brpop_read(**options)
        except UNDECODED as error:
            intake = self.connection.intake
            if self.connection.is_delivering or intake is None:
                raise
            intake.refuse("no-json", " ".join(self.active_queues), error)
            return True


class Transport(redis.Transport):
    """kombu's, with the application's Intake, if it has one (transport option ``intake``), before every delivery."""

    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, OutOfMemoryError)
    """A full Redis is waited for like one that is away; to Celery it would be the end of the worker."""
    is_delivering = False

    @property
    def intake(self) -> Intake | None:
        return self.client.transport_options.get("intake")

    def _deliver(self, message: Any, queue: str) -> None:
        self.is_delivering = True
        if self.intake:
            try:
                message = self.intake.remade(message, queue)
            except Refused as refused:
                self.intake.refuse(refused.reason, queue, refused)
                return
        super()._deliver(message, queue)


def guard(app: Any, count: Callable[[str], None]) -> None:
    """Let ``app`` take from Redis through an Intake. Called before its first connection."""
    for scheme in ("redis", "rediss"):
        kombu.transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "intake": Intake(app, count)}
