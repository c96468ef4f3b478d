"""The one place where the site asks something of a worker: task names and queues, nothing else.

Requests are repeatable: the agent refuses stale generations and treats a second create as the first.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import time
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from labs.models import LabSession, WorkerHost
from labsite.celery import app
from runtime_agent import fleet, protocol

ANSWER_SECONDS = 3.0
AWAY = (redis.RedisError, OperationalError, OSError)
"""What asking raises while Redis is away."""


def create_later(session: LabSession) -> None:
    """Ask for the sandbox; a resume goes to the host that has the disk and the points to go back to, everything else
    to the queue of the hosts that can run this lab."""
    if session.is_resume:
        create_on_later(session, session.host)
        return
    queue = queue_of(session)
    with contextlib.suppress(redis.RedisError), connect() as bus:
        bus.sadd(fleet.QUEUES_KEY, queue)
    _create(session, queue)


def create_on_later(session: LabSession, host: str) -> None:
    """Ask one host."""
    _create(session, protocol.agent_queue(host))


def queue_of(session: LabSession) -> str:
    return fleet.queue_of(fleet.needs_of(session.lab))


def is_under_way(session: LabSession) -> bool:
    """Has a host claimed this start, or do creates wait in its queue, of which one may be its own? Raises RedisError."""
    with connect() as bus:
        return bool(bus.llen(queue_of(session)) or bus.exists(fleet.claim_key(str(session.pk), session.generation)))


def _create(session: LabSession, queue: str) -> None:
    _send(protocol.TASK_CREATE, queue, session, generation=session.generation,
          lab=session.lab_digest, resume=session.is_resume,
          **({"point": session.rewind_to} if session.rewind_to else {}))


def remove_later(session_id: str, host: str, keep: bool, newest: int) -> None:
    """Have a session's sandbox deleted; what the host was given later than generation ``newest`` stays."""
    app.send_task(protocol.TASK_DELETE, queue=protocol.agent_queue(host),
                  kwargs={"session_id": session_id, "keep": keep, "newest": newest})


def open_terminal_later(session: LabSession, number: int, machine: str, rows: int = 24, cols: int = 80) -> None:
    _send(protocol.TASK_OPEN_TERMINAL, protocol.agent_queue(session.host), session,
          number=number, machine=machine, rows=rows, cols=cols)


def close_terminal_later(session: LabSession, number: int) -> None:
    _send(protocol.TASK_CLOSE_TERMINAL, protocol.agent_queue(session.host), session, number=number)


def limits_later(session: LabSession, machine: str, wishes: dict[str, float]) -> None:
    _send(protocol.TASK_LIMITS, protocol.agent_queue(session.host), session, machine=machine, wishes=wishes)


def report_later(session: LabSession, host: str) -> None:
    _send(protocol.TASK_REPORT, protocol.agent_queue(host), session)


def connect() -> redis.Redis:
    """Its connections are kept for the next one who asks: to make one costs ten times what a command does. One that Redis
    closed meanwhile is made anew."""
    return _client(settings.REDIS_URL)


@functools.lru_cache(4)
def _client(url: str) -> redis.Redis:
    return redis.Redis(connection_pool=redis.ConnectionPool.from_url(url, socket_timeout=2, socket_connect_timeout=2))


def living_hosts() -> dict[str, dict[str, Any]]:
    """Hosts whose heartbeat is young (HOST_SILENT_SECONDS); none if Redis does not answer."""
    try:
        with connect() as bus:
            return read_living(bus)
    except redis.RedisError:
        return {}


def expected_hosts() -> dict[str, dict[str, Any]]:
    """The living hosts, for whoever asks something of one. Where Redis knows none, those that were heard a moment ago: it
    was emptied, or the agent is just being restarted, and they are back in seconds. What is asked of them waits in a queue."""
    if living := living_hosts():
        return living
    with contextlib.suppress(redis.RedisError), connect() as bus:
        bus.ping()
        since = timezone.now() - timedelta(seconds=settings.HOST_SILENT_SECONDS)
        return {host.name: host.line for host in WorkerHost.objects.filter(is_silent=False, seen_at__gt=since)}
    return {}


def read_living(bus: redis.Redis) -> dict[str, dict[str, Any]]:
    """The same, or RedisError. Heartbeats carry Redis' own time, so only one clock is asked."""
    (seconds, _micros), lines = bus.pipeline(transaction=False).time().hgetall(protocol.HOSTS_KEY).execute()
    hosts = {name.decode(errors="replace"): _heartbeat(value) for name, value in lines.items()}
    return {name: host for name, host in hosts.items() if host and seconds - host["at"] < settings.HOST_SILENT_SECONDS}


def _heartbeat(text: bytes) -> dict[str, Any] | None:
    """None if it is none: one host's nonsense must not hide the others."""
    try:
        host = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return host if isinstance(host, dict) and isinstance(host.get("at"), int | float) else None


def takes(host: dict[str, Any], lab: dict[str, Any]) -> bool:
    """Would this host take a new sandbox of the lab, once it has room?"""
    return host.get("is_open", True) and fleet.needs_of(lab) <= fleet.labels_of(host)


def note_opened(lab_digest: str) -> None:
    """A reader has a lesson's page before them: whoever makes sandboxes may make one in advance. Losing it costs time
    only."""
    with contextlib.suppress(redis.RedisError), connect() as bus:
        bus.zadd(protocol.OPENED_KEY, {lab_digest: time.time()})
        bus.zremrangebyrank(protocol.OPENED_KEY, 0, -1 - protocol.MAX_OPENED)


class BeingAsked(Exception):
    """A question about this session is under way."""


_being_asked: dict[str, object] = {}
"""The question of each session: whoever asks holds a thread of the site until the worker answers, and there are not many."""


def ask_facts(session: LabSession, expression: str) -> Any:
    """What an expression of a lesson finds in the session's facts, from the worker; None for nothing or no answer in time.
    Raises BeingAsked."""
    question = object()
    if _being_asked.setdefault(str(session.id), question) is not question:
        raise BeingAsked
    try:
        return _ask_facts(session, expression)
    finally:
        del _being_asked[str(session.id)]


def _ask_facts(session: LabSession, expression: str) -> Any:
    name = secrets.token_hex(8)
    channel, deadline = protocol.facts_answer_channel(str(session.id), name), time.monotonic() + ANSWER_SECONDS
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as bus, bus.pubsub() as answers:
            answers.subscribe(channel)
            while (left := deadline - time.monotonic()) > 0:
                message = answers.get_message(timeout=left)
                if message and message["type"] == "subscribe":
                    bus.publish(protocol.facts_wish_channel(str(session.id)),
                                protocol.FACTS_ASK + f"{name} {expression}".encode())
                elif message and message["type"] == "message":
                    return json.loads(message["data"])["value"]
    except redis.RedisError:
        pass
    return None


def _send(task: str, queue: str, session: LabSession, **arguments: Any) -> None:
    app.send_task(task, queue=queue, kwargs={"session_id": str(session.id), **arguments}, argsrepr="", kwargsrepr="")
