"""The site in Prometheus' words: read from the database and Redis at each scrape, so any process gives the same answer.

Labels are closed sets (states, reasons) and host names; nothing here names a person or a session.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import redis
from django.db import DatabaseError
from django.db.models import Count, Min
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from labs import agent_client
from labs.models import LabSession
from labs.sight import counters, synthetic
from runtime_agent import fleet, protocol

State = LabSession.State
HELP = {
    counters.FAILURES: "Sandboxes that did not start or were lost, by the reason that the student read",
    counters.EVENTS_REFUSED: "Messages of worker hosts that broke the protocol",
    counters.MESSAGES_REFUSED: "Messages in the site's queue that nobody could work",
    counters.WALKS: "Walks of the synthetic student",
}
HOST_GAUGES = {"capacity": ("bulkhead_host_capacity", "Sandboxes that the host carries at most"),
               "used": ("bulkhead_host_used", "Places of the host that are taken"),
               "warm": ("bulkhead_host_spares", "Spare sandboxes that wait on the host")}


def exposition() -> bytes:
    """What this process knows of itself, then what the whole site knows."""
    whole = CollectorRegistry(auto_describe=False)
    whole.register(Collector())
    return generate_latest(REGISTRY) + generate_latest(whole)


class Collector:
    """Each part that can't be read leaves its figures out and shows as ``bulkhead_up`` 0."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("bulkhead_up", "Whether the part answers", labels=["part"])
        for part, read in (("database", of_database), ("redis", of_redis)):
            try:
                found = list(read())
            except (DatabaseError, redis.RedisError):
                found = None
            up.add_metric([part], 0 if found is None else 1)
            yield from found or ()
        yield up


def of_database() -> Iterator[Metric]:
    counted = dict(LabSession.objects.order_by().values_list("state").annotate(Count("id")))
    sessions = GaugeMetricFamily("bulkhead_sessions", "Sessions by their state", labels=["state"])
    for state in State.values:
        sessions.add_metric([state], counted.get(state, 0))
    yield sessions
    oldest = LabSession.objects.filter(state=State.QUEUED).aggregate(Min("queued_at"))["queued_at__min"]
    yield gauge("bulkhead_oldest_queued_seconds", "How long the first of the queue has waited",
                max(time.time() - oldest.timestamp(), 0.0) if oldest else 0.0)


def of_redis() -> Iterator[Metric]:
    counted = counters.read()
    for name, (label, values) in counters.LABELS.items():
        family = CounterMetricFamily(name, HELP[name], labels=[label])
        for value in values:
            family.add_metric([value], counted.get(f"{name}|{value}", 0.0))
        yield family
    yield start_seconds(counted)
    yield gauge(counters.TIMERS_AT, "When the site's timers last made a round", counted.get(counters.TIMERS_AT, 0.0))
    queues = GaugeMetricFamily("bulkhead_queue_length", "Messages that wait in Redis", labels=["queue"])
    bus = counters.bus()
    of_needs = {protocol.QUEUE_SANDBOXES, *(name.decode() for name in bus.smembers(fleet.QUEUES_KEY))}
    queues.add_metric([protocol.QUEUE_SANDBOXES], sum(bus.llen(name) for name in of_needs))
    queues.add_metric([protocol.QUEUE_WEB], bus.llen(protocol.QUEUE_WEB))
    yield queues
    yield from of_hosts(agent_client.living_hosts())
    yield from of_synthetic(synthetic.last())


def start_seconds(counted: dict[str, float]) -> Metric:
    name, total, buckets = counters.START_SECONDS, 0.0, []
    for limit in (*counters.BUCKETS_SECONDS, "inf"):
        total += counted.get(f"{name}|{limit}", 0.0)
        buckets.append(("+Inf" if limit == "inf" else str(limit), total))
    family = HistogramMetricFamily(name, "From the click to the usable sandbox")
    family.add_metric([], buckets, counted.get(f"{name}|sum", 0.0))
    return family


def of_hosts(hosts: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    yield gauge("bulkhead_hosts", "Worker hosts whose heartbeat is fresh", len(hosts))
    for field, (name, text) in HOST_GAUGES.items():
        family = GaugeMetricFamily(name, text, labels=["host"])
        for host, line in sorted(hosts.items()):
            family.add_metric([host], line.get(field) or 0)
        yield family


def of_synthetic(walk: dict[str, Any] | None) -> Iterator[Metric]:
    yield gauge("bulkhead_synthetic_ok", "Whether the last walk of the synthetic student got to its end",
                int(walk["ok"]) if walk else 0)
    yield gauge("bulkhead_synthetic_last_timestamp_seconds", "When it last walked; 0 is never", walk["at"] if walk else 0)
    family = GaugeMetricFamily("bulkhead_synthetic_step_seconds", "What each step of the last walk took", labels=["step"])
    for step in synthetic.STEPS:
        if walk and step in walk["seconds"]:
            family.add_metric([step], walk["seconds"][step])
    yield family


def gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
