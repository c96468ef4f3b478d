"""From which queues this host takes new sandboxes: those whose needs its labels meet, unless the operator says none.

The site writes the names of its queues and its wish for each host to the bus; this host reads both every second and
keeps the wish on its disk, so that a cordoned host stays so through restarts and while Redis is away. A wish of an
older generation than the one kept is a message from the past and changes nothing.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from runtime_agent import fleet, images, protocol
from runtime_agent.settings import Settings

PERIOD_SECONDS = 1.0
log = logging.getLogger(__name__)


class Placement:
    """What may be taken now. ``installed`` lists the images that sandboxes can be made from."""

    def __init__(self, settings: Settings, installed: Callable[[Settings], list[str]] = images.installed):
        self.settings, self.installed = settings, installed
        self.queues = {protocol.QUEUE_SANDBOXES}
        self.wish = _load(self._file())
        self.on_change: Callable[[], None] = lambda: None

    @property
    def is_open(self) -> bool:
        return bool(self.wish.get("is_open", True))

    def labels(self) -> frozenset[str]:
        return fleet.labels_of({"labels": self.settings.labels, "images": self.installed(self.settings)})

    def wanted(self) -> set[str]:
        """The queues that this host would take from, had it room."""
        labels = self.labels()
        if not self.is_open or f"image-{fleet.EVERYWHERE}" not in labels:
            return set()
        needs = {queue: fleet.needs_of_queue(queue) for queue in self.queues}
        return {queue for queue, wanted in needs.items() if wanted is not None and wanted <= labels}

    def look(self, bus: redis.Redis) -> None:
        """Read queues and wish once."""
        names, wish = bus.smembers(fleet.QUEUES_KEY), bus.get(fleet.wish_key(self.settings.host))
        self.queues |= {name.decode(errors="replace") for name in names}
        try:
            self.take(json.loads(wish or b"{}"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("bad wish: %r", error)

    def take(self, wish: dict[str, Any]) -> None:
        if int(wish.get("generation", -1)) <= int(self.wish.get("generation", -1)):
            return
        self.wish = {"generation": int(wish["generation"]), "is_open": bool(wish["is_open"])}
        new = self._file().with_suffix(".new")
        new.write_text(json.dumps(self.wish))
        os.replace(new, self._file())
        self.on_change()
        log.info("wish generation=%d is_open=%s", self.wish["generation"], self.is_open)

    def run(self, stopped: threading.Event) -> None:
        """Thread body; Redis being away changes nothing."""
        with redis.Redis.from_url(self.settings.redis_url, socket_timeout=3, socket_connect_timeout=3) as bus:
            while not stopped.is_set():
                try:
                    self.look(bus)
                except redis.RedisError as error:
                    log.info("no word from the site: %s", error)
                stopped.wait(PERIOD_SECONDS)

    def _file(self) -> Path:
        return self.settings.agent_dir / "wish.json"


def _load(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
