"""Lessons that readers have just opened, as the site notes them: the pool hears of their labs before the first click.

The note is a hint. Redis may be away and a digest may name anything: what can't be read is nobody's error here, the
create that may follow says why.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import redis

from runtime_agent import content, gvisor, protocol
from runtime_agent.bundle import Spec
from runtime_agent.errors import AgentError
from runtime_agent.launch import spec_of
from runtime_agent.settings import Settings
from runtime_agent.spares import NOBODY

PERIOD_SECONDS = 2.0
RECENT_SECONDS = 600.0
"""A restarted agent still knows what is being read."""
Want = Callable[[Spec], None]
log = logging.getLogger(__name__)


def run(settings: Settings, want: Want, stopped: threading.Event) -> None:
    """Thread body: tell ``want`` every machine of every lab whose lesson was opened lately or is from now on."""
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=3)
    since = time.time() - RECENT_SECONDS
    while settings.warm and not stopped.wait(PERIOD_SECONDS):
        try:
            since = look(client, settings, want, since)
        except redis.RedisError as error:
            log.debug("no news of lessons: %s", error)


def look(client: redis.Redis, settings: Settings, want: Want, since: float) -> float:
    """Pass on what was opened after ``since``, the latest last; return when the latest was."""
    for digest, at in client.zrangebyscore(protocol.OPENED_KEY, f"({since!r}", "+inf", withscores=True):
        since = at
        try:
            lab = content.load_lab(settings.content_dir, digest.decode(errors="replace"))
        except AgentError as error:
            log.info("no spares for an opened lesson: %s", error)
            continue
        for name in lab.machines:
            if gvisor.settings_for(settings, lab, name) == settings:  # of another runtime there are no spares
                want(spec_of(NOBODY, lab, name))
    return since
