"""A stream of the tunnel that brings a recording to the site: no connection, only bytes of this host's disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime_agent.protocol import ProtocolError
from runtime_agent.protocol.tunnel_codec import Tunnel, TunnelEnd
from runtime_agent.stream import Stream


class Fetch(Stream):
    """Sends what ``read`` returns, as far as the site gives credit; the site lets go of it when it has all."""

    def begin(self, read: Callable[[], bytes]) -> None:
        self.task = asyncio.create_task(self._serve(read))

    async def _serve(self, read: Callable[[], bytes]) -> None:
        try:
            body = await asyncio.get_running_loop().run_in_executor(None, read)
        except (OSError, ValueError, ProtocolError):
            self.end(TunnelEnd.NO_SANDBOX)
            return
        self._publish(Tunnel.OPENED)
        reader = asyncio.StreamReader()
        reader.feed_data(body)
        reader.feed_eof()
        await self._pump_out(reader)
