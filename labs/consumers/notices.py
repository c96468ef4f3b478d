"""JSON notices from the site to an open page; whatever a page says here closes the socket.

As long as it is open the session counts as seen, so that the timer for orphaned ones never ends a session in use.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError
from django.utils import timezone

from labs import notices
from labs.models import LabSession
from labs.signing_out import ClosesAtSignOut
from runtime_agent import protocol
from runtime_agent.protocol.reasons import CLOSE_BAD_FRAME, CLOSE_NOT_FOUND, CLOSE_SIGNED_OUT

SEEN_EVERY_SECONDS = 60.0
SEEN_LATELY = timedelta(seconds=SEEN_EVERY_SECONDS / 2)
log = logging.getLogger(__name__)


class SessionConsumer(ClosesAtSignOut, AsyncJsonWebsocketConsumer):
    """Sends the state at once, then each change. Sessions are found through the user."""

    group = ""
    is_owner = False
    """Whoever is not has joined the group for a moment, and is told nothing."""
    watching: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a close code reaches the page only on an open socket
        if not self.scope["user"].is_authenticated:
            return await self.close(CLOSE_SIGNED_OUT)
        self.session_id = self.scope["url_route"]["kwargs"]["session_id"]
        try:
            group = notices.group(protocol.check_session_id(self.session_id))
        except protocol.ProtocolError:
            return await self.close(CLOSE_NOT_FOUND)
        self.group = group
        await self.channel_layer.group_add(group, self.channel_name)
        state = await self._seen()  # asked when we listen already: nothing can change in between
        if state is None:
            return await self.close(CLOSE_NOT_FOUND)
        await self.send_json(state)
        self.is_owner = True
        self.watching = asyncio.ensure_future(self._stay_seen())

    async def notice(self, message: dict[str, Any]) -> None:
        if self.is_owner:
            await self.send_json(message["notice"])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        await self.close(CLOSE_BAD_FRAME)

    async def disconnect(self, code: int) -> None:
        if self.watching:
            self.watching.cancel()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def _stay_seen(self) -> None:
        while True:
            await asyncio.sleep(SEEN_EVERY_SECONDS)
            try:
                await self._seen()
            except DatabaseError as error:
                log.warning("not noted as seen session_id=%s: %s", self.session_id, error)

    @database_sync_to_async
    def _seen(self) -> dict[str, Any] | None:
        """The state, or None if the user has no such session. Of one that is ready, note that a page is open, unless that was
        just noted; others can't be orphaned."""
        found, now = LabSession.objects.filter(user=self.scope["user"], pk=self.session_id), timezone.now()
        session = found.defer("lab", "facts", "points").first()
        if session is None:
            return None
        if session.state == LabSession.State.READY and now - session.seen_at > SEEN_LATELY:
            found.update(seen_at=now)
        return notices.state_of(session)
