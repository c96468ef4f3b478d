"""This host's line in the table of hosts: every few seconds, what it is and how much room it has.

The site takes a host whose ``at`` is old for gone. The table is for showing and for "no worker available";
placement itself needs it not, because hosts take their work themselves.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from runtime_agent import protocol

PERIOD_SECONDS = 5.0
log = logging.getLogger(__name__)


def beat(client: redis.Redis, host: str, line: dict[str, Any]) -> None:
    client.hset(protocol.HOSTS_KEY, host, json.dumps({"at": time.time(), **line}))


def run(redis_url: str, host: str, describe: Callable[[], dict[str, Any]], stopped: threading.Event) -> None:
    """Thread body: beat until ``stopped``, then take the line away. Redis being away is not our failure."""
    client = redis.Redis.from_url(redis_url, socket_timeout=3)
    while not stopped.is_set():
        try:
            beat(client, host, describe())
        except redis.RedisError as error:
            log.warning("no heartbeat: %s", error)
        stopped.wait(PERIOD_SECONDS)
    try:
        client.hdel(protocol.HOSTS_KEY, host)
    except redis.RedisError as error:
        log.warning("could not sign off: %s", error)
