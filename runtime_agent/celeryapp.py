"""The agent's Celery application: how it talks to the broker. Nothing here does any work.

JSON only, in and out: a pickle from the broker would be code run as root.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from celery import Celery
from kombu import Queue

from runtime_agent import intake, metrics, protocol
from runtime_agent.settings import Settings

VISIBILITY_SECONDS = 120
"""A create that a killed worker never acknowledged is delivered again after this; every task is idempotent,
so a second delivery of one that is merely slow does no harm."""
SWEEP_SECONDS = 10
"""How often a worker looks for such messages; kombu's own choice of 100 would make 120 seconds up to 220."""


def broker_url(redis_url: str) -> str:
    """Turn redis-py's form of a URL into kombu's: they differ for unix sockets only."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    login = f"{parts.netloc.partition('@')[0]}@" if "@" in parts.netloc else ""
    return f"redis+socket://{login}{quote(parts.path)}?virtual_host={database}"


def make_app(settings: Settings) -> Celery:
    """Build the application for this host's two queues."""
    app = Celery("runtime_agent", broker=broker_url(settings.redis_url), set_as_current=False)
    app.conf.update(
        accept_content=["json"], task_serializer="json", result_backend=None, task_ignore_result=True,
        task_queues=[Queue(protocol.QUEUE_SANDBOXES), Queue(protocol.agent_queue(settings.host))],
        task_default_queue=protocol.agent_queue(settings.host), task_create_missing_queues=True,
        task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False, worker_redirect_stdouts=False,
        worker_enable_remote_control=False, worker_send_task_events=False,
        broker_connection_retry_on_startup=True, broker_connection_max_retries=None,
        broker_connection_timeout=3, broker_transport_options=transport(settings.host), task_publish_retry=False)
    intake.guard(app, lambda reason: metrics.REFUSED.labels(reason).inc())
    return app


def transport(host: str) -> dict[str, Any]:
    """Options of kombu's Redis transport. What this host has fetched and not acknowledged is kept under names of its
    own: no other host ever gets it, and none may look at it."""
    own = protocol.agent_queue(host)
    return {
        "visibility_timeout": VISIBILITY_SECONDS, "priority_steps": [0],
        "unacked_key": f"{own}.unacked", "unacked_index_key": f"{own}.unacked_index",
        "unacked_mutex_key": f"{own}.unacked_mutex",
        "unacked_mutex_expire": SWEEP_SECONDS,  # who is killed with it in hand must not keep its successor waiting
        "unacked_restore_interval": SWEEP_SECONDS, "unacked_restore_throttle": 1,
        # Without these, a cut line to Redis is noticed after minutes only.
        "socket_timeout": 5, "socket_connect_timeout": 3, "socket_keepalive": True,
        "health_check_interval": 10, "retry_on_timeout": True,
    }
