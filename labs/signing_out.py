"""Who signs out is told to every process of the site, and their sockets are closed: in another tab a terminal would go on being
theirs, and the X-ray would show on. Pages that are still signed in, on another machine, come back at once.
"""

from __future__ import annotations

import logging
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver

from runtime_agent.protocol.reasons import CLOSE_BUSY

CHANNEL = "site:signed-out"
"""For the terminals, which have no part in the channel layer. No worker host may write there (fleet.bus_rules)."""
log = logging.getLogger(__name__)


def group(user_id: int) -> str:
    return f"user.{user_id}"


class ClosesAtSignOut:
    """For a consumer of Channels."""

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        if self.scope["user"].is_authenticated:
            self.groups = [group(self.scope["user"].pk)]
        await super().websocket_connect(message)

    async def signed_out(self, message: dict[str, Any]) -> None:
        await self.close(CLOSE_BUSY)


@receiver(user_logged_out)
def close_sockets(user: Any = None, **_: Any) -> None:
    if not user:
        return
    try:
        async_to_sync(get_channel_layer().group_send)(group(user.pk), {"type": "signed.out"})
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as bus:
            bus.publish(CHANNEL, user.pk)
    except (redis.RedisError, OSError):
        log.exception("sockets of user %s stay open in other tabs", user.pk)
