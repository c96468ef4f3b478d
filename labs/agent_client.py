"""The one place where the site asks something of a worker: task names and queues, nothing else.

Requests are repeatable: the agent refuses stale generations and treats a second create as the first.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from typing import Any

import redis
from django.conf import settings

from labs.models import LabSession
from labsite.celery import app
from runtime_agent import protocol

ANSWER_SECONDS = 3.0
HEARTBEAT_SECONDS = 20


def create_later(session: LabSession) -> None:
    """Ask for the sandbox; a resume goes to the host that has the disk and the points to go back to."""
    queue = protocol.agent_queue(session.host) if session.is_resume else protocol.QUEUE_SANDBOXES
    _send(protocol.TASK_CREATE, queue, session, generation=session.generation,
          lab=session.lab_digest, resume=session.is_resume,
          **({"point": session.rewind_to} if session.rewind_to else {}))


def delete_later(session: LabSession, host: str, keep: bool) -> None:
    """``host`` is an argument because a restart forgets the session's own before this is sent."""
    _send(protocol.TASK_DELETE, protocol.agent_queue(host), session, keep=keep)


def open_terminal_later(session: LabSession, number: int, machine: str, rows: int = 24, cols: int = 80) -> None:
    _send(protocol.TASK_OPEN_TERMINAL, protocol.agent_queue(session.host), session,
          number=number, machine=machine, rows=rows, cols=cols)


def close_terminal_later(session: LabSession, number: int) -> None:
    _send(protocol.TASK_CLOSE_TERMINAL, protocol.agent_queue(session.host), session, number=number)


def limits_later(session: LabSession, machine: str, wishes: dict[str, float]) -> None:
    _send(protocol.TASK_LIMITS, protocol.agent_queue(session.host), session, machine=machine, wishes=wishes)


def report_later(session: LabSession) -> None:
    _send(protocol.TASK_REPORT, protocol.agent_queue(session.host), session)


def living_hosts() -> dict[str, dict[str, Any]]:
    """Hosts whose heartbeat is younger than 20 s; none if Redis does not answer."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as bus:
            found = bus.hgetall(protocol.HOSTS_KEY)
    except redis.RedisError:
        return {}
    hosts = {name.decode(): json.loads(value) for name, value in found.items()}
    return {name: host for name, host in hosts.items() if time.time() - host["at"] < HEARTBEAT_SECONDS}


def note_opened(lab_digest: str) -> None:
    """A reader has a lesson's page before them: whoever makes sandboxes may make one in advance. Losing it costs time
    only."""
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1) as bus:
        bus.zadd(protocol.OPENED_KEY, {lab_digest: time.time()})
        bus.zremrangebyrank(protocol.OPENED_KEY, 0, -1 - protocol.MAX_OPENED)


def ask_facts(session: LabSession, expression: str) -> Any:
    """What an expression of a lesson finds in the session's facts, from the worker; None for nothing or no answer in time."""
    name = secrets.token_hex(8)
    channel, deadline = protocol.facts_answer_channel(str(session.id), name), time.monotonic() + ANSWER_SECONDS
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as bus, bus.pubsub() as answers:
            answers.subscribe(channel)
            while (left := deadline - time.monotonic()) > 0:
                message = answers.get_message(timeout=left)
                if message and message["type"] == "subscribe":
                    bus.publish(protocol.facts_wish_channel(str(session.id)), protocol.FACTS_ASK + f"{name} {expression}".encode())
                elif message and message["type"] == "message":
                    return json.loads(message["data"])["value"]
    except redis.RedisError:
        pass
    return None


def _send(task: str, queue: str, session: LabSession, **arguments: Any) -> None:
    app.send_task(task, queue=queue, kwargs={"session_id": str(session.id), **arguments})
