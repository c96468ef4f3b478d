"""Counters of the whole site, in Redis: the processes that count are several and come and go, what they counted stays.

Nothing depends on them: a Redis that is away, or was emptied, costs figures only.
"""

from __future__ import annotations

import contextlib
import functools
import time

import redis
from django.conf import settings

from runtime_agent import intake
from runtime_agent.protocol.reasons import REASONS

KEY = "bulkhead:counters"
FAILURES = "bulkhead_session_failures_total"
EVENTS_REFUSED = "bulkhead_events_refused_total"
MESSAGES_REFUSED = "bulkhead_messages_refused_total"
WALKS = "bulkhead_synthetic_walks_total"
START_SECONDS = "bulkhead_session_start_seconds"
TIMERS_AT = "bulkhead_timers_last_run_timestamp_seconds"
LABELS: dict[str, tuple[str, tuple[str, ...]]] = {
    FAILURES: ("reason", tuple(REASONS)),
    EVENTS_REFUSED: ("reason", ("bad-event", "bad-id", "bad-payload", "unknown-kind", "other")),
    MESSAGES_REFUSED: ("reason", intake.REASONS),
    WALKS: ("result", ("passed", "failed")),
}
"""The label of each counter and all values it can have; what is not among them is counted as the last."""
BUCKETS_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)


@functools.cache
def _bus(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)


def bus() -> redis.Redis:
    """A client with a short patience, one for each process."""
    return _bus(settings.REDIS_URL)


def add(name: str, value: str) -> None:
    known = LABELS[name][1]
    with contextlib.suppress(redis.RedisError):
        bus().hincrby(KEY, f"{name}|{value if value in known else known[-1]}", 1)


def add_start(seconds: float) -> None:
    """One session became usable, this long after the click."""
    bucket = next((limit for limit in BUCKETS_SECONDS if seconds <= limit), "inf")
    with contextlib.suppress(redis.RedisError), bus().pipeline(transaction=False) as pipeline:
        pipeline.hincrby(KEY, f"{START_SECONDS}|{bucket}", 1)
        pipeline.hincrbyfloat(KEY, f"{START_SECONDS}|sum", max(seconds, 0.0))
        pipeline.execute()


def note_timers() -> None:
    """The site's clock has made a round."""
    with contextlib.suppress(redis.RedisError):
        bus().hset(KEY, TIMERS_AT, time.time())


def read() -> dict[str, float]:
    """Every field as it stands. Raises redis.RedisError."""
    return {name.decode(): float(value) for name, value in bus().hgetall(KEY).items()}
