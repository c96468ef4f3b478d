"""This host in Prometheus' words, on loopback only: BULKHEAD_METRICS_PORT turns it on.

``/metrics``, ``/healthz`` (the process lives) and ``/readyz`` (it takes work and has room on its disk). The control process
serves it; labels are closed sets, and nothing here names a session.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from runtime_agent import intake, protocol, rootfs
from runtime_agent.protocol.reasons import REASONS

CREATE_BUCKETS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
MAX_REMEMBERED = 1000
MIN_FREE_BYTES = rootfs.FREE_BYTES_WATERMARK
"""Below it every sandbox is refused."""
log = logging.getLogger(__name__)

EVENTS = Counter("bulkhead_agent_events_total", "What happened to sandboxes, as told to the site", ["kind"])
FAILURES = Counter("bulkhead_agent_failures_total", "Sandboxes that failed, by the reason that the student reads", ["reason"])
REFUSED = Counter("bulkhead_agent_messages_refused_total", "Messages in this host's queues that nobody could work", ["reason"])
CREATE_SECONDS = Histogram("bulkhead_agent_create_seconds", "From taking the request to the usable sandbox",
                           buckets=CREATE_BUCKETS)
for _kind in sorted(protocol.EVENT_KINDS):
    EVENTS.labels(_kind)
for _reason in REASONS:
    FAILURES.labels(_reason)
for _reason in intake.REASONS:
    REFUSED.labels(_reason)
_begun: dict[str, float] = {}


def note_event(kind: str, session_id: str, payload: dict[str, Any]) -> None:
    """Count what the outbox was given."""
    EVENTS.labels(kind).inc()
    if kind == "stage" and payload.get("stage") == protocol.STAGES[0]:
        while len(_begun) >= MAX_REMEMBERED:
            _begun.pop(next(iter(_begun)), None)
        _begun[session_id] = time.monotonic()
    elif kind == "ready" and (began := _begun.pop(session_id, None)) is not None:
        CREATE_SECONDS.observe(time.monotonic() - began)
    elif kind == "failed":
        _begun.pop(session_id, None)
        FAILURES.labels(payload["reason"]).inc()


@dataclass(frozen=True)
class Host:
    """Where the figures come from; each is read at the scrape."""

    capacity: int
    used: Callable[[], int]
    spares: Callable[[], int]
    outbox: Path
    disk: Path
    is_ready: Callable[[], bool]

    def collect(self) -> Iterator[Metric]:
        figures = {
            "bulkhead_agent_capacity": ("Sandboxes that this host carries at most", self.capacity),
            "bulkhead_agent_used": ("Places that are taken", self.used()),
            "bulkhead_agent_spares": ("Spare sandboxes that wait", self.spares()),
            "bulkhead_agent_events_waiting": ("Events that the broker has not taken yet", len(list(self.outbox.glob("*.json")))),
            "bulkhead_agent_disk_free_bytes": ("Free on the disk of sandboxes and images", shutil.disk_usage(self.disk).free),
            "bulkhead_agent_memory_available_bytes": ("MemAvailable of proc(5)", memory_available()),
            "bulkhead_agent_load1": ("The host's load over one minute", os.getloadavg()[0]),
            "bulkhead_agent_ready": ("Whether it takes work", int(self.is_ready())),
        }
        for name, (text, value) in figures.items():
            yield GaugeMetricFamily(name, text, value=value)

    def exposition(self) -> bytes:
        whole = CollectorRegistry(auto_describe=False)
        whole.register(self)
        return generate_latest(REGISTRY) + generate_latest(whole)

    def complaint(self) -> str:
        """Why no work can be taken; empty if it can."""
        if not self.is_ready():
            return "not ready"
        return "disk" if shutil.disk_usage(self.disk).free < MIN_FREE_BYTES else ""


def memory_available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def serve(port: int, host: Host) -> ThreadingHTTPServer | None:
    """Answer in a thread of its own; None if ``port`` is 0 or taken, which is no reason for sandboxes not to run."""
    if not port:
        return None
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler(host))
    except OSError as error:
        log.error("no metrics on port %d: %s", port, error)
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.say(200, host.exposition(), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                self.say(200, b"ok\n")
            elif self.path == "/readyz":
                complaint = host.complaint()
                self.say(503 if complaint else 200, f"{complaint or 'ok'}\n".encode())
            else:
                self.say(404, b"not found\n")

        def say(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """A line every few seconds tells nothing."""
    return Answer
