"""JSON notices from the site to an open page; what a page says here is ignored."""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils import timezone

from labs import notices
from labs.models import LabSession
from runtime_agent import protocol


class SessionConsumer(AsyncJsonWebsocketConsumer):
    """Sends the state at once, then each change. Sessions are found through the user."""

    group = ""

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a close code reaches the page only on an open socket
        if not self.scope["user"].is_authenticated:
            return await self.close(protocol.CLOSE_SIGNED_OUT)
        session = await self._find()
        if not session:
            return await self.close(protocol.CLOSE_NOT_FOUND)
        self.group = notices.group(session.id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.send_json(notices.state_of(await self._find()))

    async def notice(self, message: dict[str, Any]) -> None:
        await self.send_json(message["notice"])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        await self.close(protocol.CLOSE_BAD_FRAME)

    async def disconnect(self, code: int) -> None:
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    @database_sync_to_async
    def _find(self) -> LabSession | None:
        found = LabSession.objects.filter(user=self.scope["user"], pk=self.scope["url_route"]["kwargs"]["session_id"])
        found.update(seen_at=timezone.now())
        return found.first()
