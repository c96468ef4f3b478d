"""At most one host starts a run of a session, whatever is delivered twice: the first to claim it on the bus.

A create may reach two hosts (it was asked for again while the first host was cut off). Each claims the run before it does
anything; a host that comes second drops the message. Should the claims be lost with Redis, the site sees two hosts
report one run, keeps the first and sends the second a delete (labs.events).
"""

from __future__ import annotations

import redis

from runtime_agent import fleet
from runtime_agent.settings import Settings


class NoClaims:
    """On a host of its own, as in tests: every run is ours."""

    def claim(self, session_id: str, generation: int) -> str | None:
        return None

    def release(self, session_id: str, generation: int) -> None:
        return None


class Claims:
    """Claims for one host. The connection is kept and comes back by itself."""

    def __init__(self, settings: Settings):
        self.host = settings.host
        self._bus = redis.Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3)

    def claim(self, session_id: str, generation: int) -> str | None:
        """None if the run is ours, else the host whose it is. Raises redis.RedisError: then nobody may start it."""
        name = fleet.claim_key(session_id, generation)
        if self._bus.set(name, self.host, nx=True, ex=fleet.CLAIM_SECONDS):
            return None
        holder = (self._bus.get(name) or b"").decode(errors="replace")
        return None if holder == self.host else holder or "unknown"

    def release(self, session_id: str, generation: int) -> None:
        """Give a run back that this host has no room for, so that another one may take it."""
        if self.claim(session_id, generation) is None:
            self._bus.delete(fleet.claim_key(session_id, generation))
