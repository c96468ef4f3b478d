"""One open X-ray panel: facts frames from the agent to a page, to the session's owner only.

The page says one word again and again, that it is still there; a page that says anything else, or nothing for a minute,
is closed, so that nobody's sandbox is looked at for a tab that sleeps.
"""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from labs import facts_hub
from labs.models import LabSession
from labs.signing_out import ClosesAtSignOut
from runtime_agent import protocol
from runtime_agent.protocol.reasons import CLOSE_BAD_FRAME, CLOSE_BUSY, CLOSE_ENDED, CLOSE_NOT_FOUND, CLOSE_SIGNED_OUT

HERE = "here"
SILENCE_SECONDS = 60.0


class FactsConsumer(ClosesAtSignOut, AsyncWebsocketConsumer):
    """The session is found through the user: a stranger's id is an id that does not exist."""

    panel: facts_hub.Panel | None = None
    silence: asyncio.TimerHandle | None = None

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a close code reaches the page only on an open socket
        if not self.scope["user"].is_authenticated:
            return await self.close(CLOSE_SIGNED_OUT)
        try:
            session_id = protocol.check_session_id(self.scope["url_route"]["kwargs"]["session_id"])
        except protocol.ProtocolError:
            return await self.close(CLOSE_NOT_FOUND)
        session = await self._find(session_id)
        if session is None:
            return await self.close(CLOSE_NOT_FOUND)
        if not session.is_active:
            return await self.close(CLOSE_ENDED)
        self.panel = facts_hub.Panel(session_id, self._forward)
        self._listen_for_silence()
        await facts_hub.current().join(self.panel)

    @database_sync_to_async
    def _find(self, session_id: str) -> LabSession | None:
        return LabSession.objects.filter(user=self.scope["user"], pk=session_id).first()

    async def _forward(self, frame: bytes) -> None:
        await self.send(bytes_data=frame)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        if text_data != HERE or self.panel is None:
            await self.close(CLOSE_BAD_FRAME)
            return
        self._listen_for_silence()

    def _listen_for_silence(self) -> None:
        if self.silence:
            self.silence.cancel()
        self.silence = asyncio.get_running_loop().call_later(SILENCE_SECONDS, self._fall_silent)

    def _fall_silent(self) -> None:
        self.closing = asyncio.ensure_future(self.close(CLOSE_BUSY))

    async def disconnect(self, code: int) -> None:
        if self.silence:
            self.silence.cancel()
        if self.panel:
            await facts_hub.current().leave(self.panel)
