"""WebSockets of a preview: the browser's on one side, the machine's on the other, message by message."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from labs.previews import access, headers, tunnel
from labs.previews.access import Address, Target
from labs.previews.stream import Closed, Stream
from runtime_agent.protocol.tunnel_codec import TunnelEnd

MAX_MESSAGE_BYTES = 1 << 20
MAX_TOTAL_BYTES = 256 << 20
"""Daphne holds nobody back, so a machine that floods a browser which does not read is cut off here."""
HANDSHAKE_SECONDS = 10.0
CLOSE_NOT_FOUND, CLOSE_AWAY, CLOSE_TOO_BIG = 4404, 1014, 1009
NOT_IN = frozenset({b"host", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions",
                    b"sec-websocket-protocol"})


async def serve(scope: dict, receive: Any, send: Any, address: Address | None, host: str, scheme: str) -> None:
    """Only pages of the preview itself may open one: a browser sends its cookie from anywhere."""
    given = dict(scope["headers"])
    await receive()  # websocket.connect
    cookies = [value for name, value in scope["headers"] if name == b"cookie"]
    is_own = given.get(b"origin", b"").decode("latin-1") == f"{scheme}://{host}"
    target = await access.find(address, scheme, cookies) if address and is_own else None
    if target is None:
        await send({"type": "websocket.close", "code": CLOSE_NOT_FOUND})
        return
    try:
        stream = await tunnel.current().open(target.host, target.session_id, target.machine, target.port)
    except Closed:
        await send({"type": "websocket.close", "code": CLOSE_AWAY})
        return
    try:
        await Relay(scope, receive, send, stream, target).run(host, scheme)
    finally:
        await stream.close()


class Relay:
    """Two WebSockets that are one."""

    def __init__(self, scope: dict, receive: Any, send: Any, stream: Stream, target: Target):
        self.scope, self.receive, self.send, self.stream, self.target = scope, receive, send, stream, target
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
        self.machine = ClientProtocol(parse_uri(f"ws://localhost:{target.port}{path}{query}"),
                                      subprotocols=scope.get("subprotocols") or None, max_size=MAX_MESSAGE_BYTES)
        self.total = 0
        self.parts: list[bytes] = []
        self.is_text = False

    async def run(self, host: str, scheme: str) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._shake_hands(host, scheme)
        except (InvalidHandshake, InvalidStatus, Closed, TimeoutError, ValueError):
            await self.send({"type": "websocket.close", "code": CLOSE_AWAY})
            return
        await self.send({"type": "websocket.accept", "subprotocol": self.machine.subprotocol})
        ways = [asyncio.ensure_future(self._to_machine()), asyncio.ensure_future(self._to_browser())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _shake_hands(self, host: str, scheme: str) -> None:
        request = self.machine.connect()
        for name, value in headers.to_machine(self.scope["headers"], host, scheme, self.target.port,
                                              access.cookie_name(scheme)):
            if name not in NOT_IN:
                request.headers[name.decode("latin-1")] = value.decode("latin-1")
        self.machine.send_request(request)
        await self._flush()
        while True:
            await self._hear()
            for event in self.machine.events_received():
                if isinstance(event, Response):
                    if self.machine.handshake_exc:
                        raise self.machine.handshake_exc
                    return

    async def _to_machine(self) -> None:
        while True:
            message = await self.receive()
            if message["type"] == "websocket.disconnect":
                self.machine.send_close(1001)
                await self._flush()
                return
            text, data = message.get("text"), message.get("bytes")
            if len(text if text is not None else data or b"") > MAX_MESSAGE_BYTES:
                await self.send({"type": "websocket.close", "code": CLOSE_TOO_BIG})
                return
            if text is not None:
                self.machine.send_text(text.encode())
            else:
                self.machine.send_binary(data or b"")
            await self._flush()

    async def _to_browser(self) -> None:
        """Until either side has had enough; what it says last is the browser's close code."""
        try:
            while True:
                for event in self.machine.events_received():
                    await self._take(event)
                if self.machine.close_rcvd or self.machine.parser_exc or self.total > MAX_TOTAL_BYTES:
                    break
                await self._hear()
        except Closed:
            pass
        await self.send({"type": "websocket.close", "code": self._close_code()})

    def _close_code(self) -> int:
        if self.total > MAX_TOTAL_BYTES:
            return CLOSE_TOO_BIG
        code = self.machine.close_rcvd.code if self.machine.close_rcvd else CLOSE_AWAY
        return code if code == 1000 or 3000 <= code <= 4999 else CLOSE_AWAY

    async def _take(self, frame: Any) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self.parts, self.is_text = [], frame.opcode is Opcode.TEXT
        self.parts.append(bytes(frame.data))
        self.total += len(frame.data)
        if not frame.fin:
            return
        whole = b"".join(self.parts)
        if self.is_text:
            await self.send({"type": "websocket.send", "text": whole.decode(errors="replace")})
        else:
            await self.send({"type": "websocket.send", "bytes": whole})

    async def _hear(self) -> None:
        data = await self.stream.read()
        if data:
            self.machine.receive_data(data)
        else:
            self.machine.receive_eof()
        await self._flush()
        if not data:
            raise Closed(TunnelEnd.BROKEN)

    async def _flush(self) -> None:
        for data in self.machine.data_to_send():
            if data:
                await self.stream.write(data)
