"""This host's line in the table of hosts, and the list of what lives on it: every few seconds.

The site takes a host whose ``at`` is old for silent; ``at`` is Redis' own time, so no two clocks are compared. From the
inventory the site sees what it has missed, or what should not be there (labs.hosts.reconciling). Placement needs
neither: hosts take their work themselves.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import redis

from runtime_agent import fleet, protocol

PERIOD_SECONDS = 3.0
log = logging.getLogger(__name__)
Inventory = dict[str, tuple[int, str]]
"""session id -> (generation, state of its record)"""


def beat(client: redis.Redis, host: str, line: dict[str, Any], sessions: Inventory) -> None:
    seconds, micros = client.time()
    at = seconds + micros / 1e6
    client.hset(fleet.INVENTORY_KEY, host, json.dumps({"at": at, "sessions": sessions}))
    client.hset(protocol.HOSTS_KEY, host, json.dumps({"at": at, **line}))


def run(redis_url: str, host: str, describe: Callable[[], dict[str, Any]], inventory: Callable[[], Inventory],
        stopped: threading.Event) -> None:
    """Thread body: beat until ``stopped``, then take the line away. Redis being away is not our failure."""
    client = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
    while not stopped.is_set():
        try:
            beat(client, host, describe(), inventory())
        except redis.RedisError as error:
            log.warning("no heartbeat: %s", error)
        stopped.wait(PERIOD_SECONDS)
    try:
        client.hdel(protocol.HOSTS_KEY, host)
    except redis.RedisError as error:
        log.warning("could not sign off: %s", error)
