"""The meeting of WebSockets and the terminal bus: two connections to Redis per ASGI process, shared by every viewer.

The hub knows which channel goes to which viewers, and when viewers must greet: once their channel is heard, again after
Redis was away or a frame could not be sent, and when a bridge says that it or their terminal is new. A viewer greets with
the offset of the next byte it lacks, so a loss here costs a round trip and nothing else. Bytes pass through unread.
Everything runs as callbacks of one event loop: no key costs a task (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings

from labs import signing_out
from runtime_agent import protocol
from runtime_agent.bus import Connection
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame

log = logging.getLogger(__name__)


class Viewer:
    """One WebSocket on one terminal. ``deliver`` takes a decoded frame, ``greet`` publishes its HELLO, ``dismiss`` closes it."""

    def __init__(self, terminal_id: str, viewer_id: int, user_id: int, deliver: Callable[[Frame, tuple[int, ...], bytes], None],
                 greet: Callable[[], None], dismiss: Callable[[], None]):
        self.terminal_id, self.viewer_id, self.user_id = terminal_id, viewer_id, user_id
        self.deliver, self.greet, self.dismiss = deliver, greet, dismiss
        self.is_waiting = True
        """Its channel is not heard yet, so an answer to a greeting would pass unheard."""


class TerminalHub:
    """Lives in one event loop; ``current()`` makes it on first use."""

    def __init__(self, url: str):
        self.viewers: dict[str, set[Viewer]] = {}
        self.has_dropped = False
        self.listener = Connection(url, self._subscribe_all, self._heard)
        self.speaker = Connection(url, self._speak_again, lambda reply: None, self._has_room)
        self.tasks = [asyncio.ensure_future(connection.run()) for connection in (self.speaker, self.listener)]

    # --- viewers ------------------------------------------------------------------------------------------

    def join(self, viewer: Viewer) -> None:
        """The viewer greets as soon as Redis has confirmed that its channel is heard."""
        self.viewers.setdefault(viewer.terminal_id, set()).add(viewer)
        self.listener.send(b"SUBSCRIBE", protocol.output_channel(viewer.terminal_id).encode())

    def leave(self, viewer: Viewer) -> None:
        others = self.viewers.get(viewer.terminal_id, set())
        others.discard(viewer)
        if all(other.viewer_id != viewer.viewer_id for other in others):  # else the page has come back on another socket
            self.publish(viewer, terminal_codec.encode(Frame.BYE))
        if not others and self.viewers.pop(viewer.terminal_id, None) is not None:
            self.listener.send(b"UNSUBSCRIBE", protocol.output_channel(viewer.terminal_id).encode())

    def all_viewers(self) -> Iterator[Viewer]:
        return (viewer for viewers in list(self.viewers.values()) for viewer in list(viewers))

    def greet_all(self) -> None:
        self._greet(self.all_viewers())

    def _greet(self, viewers: Iterable[Viewer]) -> None:
        for viewer in viewers:
            if not viewer.is_waiting:
                viewer.greet()

    async def close(self) -> None:
        """For tests: a process keeps its hub until it ends."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in (self.listener, self.speaker):
            connection.close()

    # --- page -> bridge -----------------------------------------------------------------------------------

    def publish(self, viewer: Viewer, frame: bytes) -> None:
        """Send one browser frame to the bridge, in order. What can't be sent is dropped, and greeting again mends it."""
        channel = protocol.input_channel(viewer.terminal_id).encode()
        if self.speaker.is_clogged or not self.speaker.send(b"PUBLISH", channel, terminal_codec.address(viewer.viewer_id, frame)):
            self.has_dropped = True

    def _speak_again(self, connection: Connection) -> None:
        """What was written to the former connection and not taken is lost without a word."""
        self.has_dropped = False
        self.greet_all()

    def _has_room(self) -> None:
        if self.has_dropped and self.speaker.is_up:
            self.has_dropped = False
            self.greet_all()

    # --- bridge -> page -----------------------------------------------------------------------------------

    def _subscribe_all(self, connection: Connection) -> None:
        for viewer in self.all_viewers():
            viewer.is_waiting = True
        channels = [protocol.BRIDGE_HELLO_CHANNEL, signing_out.CHANNEL, *map(protocol.output_channel, self.viewers)]
        connection.send(b"SUBSCRIBE", *(channel.encode() for channel in channels))

    def _heard(self, reply: Any) -> None:
        """[b"message", channel, bus frame], or [b"subscribe", channel, count]."""
        if not isinstance(reply, list):
            return
        kind, channel = reply[0], reply[1].decode()
        if channel == protocol.BRIDGE_HELLO_CHANNEL:
            if kind == b"message":
                self._greet_bridge(reply[2].decode(errors="replace"))
            return
        if channel == signing_out.CHANNEL:
            for viewer in self.all_viewers():
                if kind == b"message" and reply[2] == b"%d" % viewer.user_id:
                    viewer.dismiss()
            return
        viewers = self.viewers.get(channel.removeprefix("term:").removesuffix(":out"), set())
        if kind == b"message":
            self._deliver(viewers, reply[2])
        elif kind == b"subscribe":
            for viewer in [viewer for viewer in viewers if viewer.is_waiting]:
                viewer.is_waiting = False
                viewer.greet()

    def _greet_bridge(self, name: str) -> None:
        """A bridge that is new says its host's name; one that has opened a terminal for which pages may wait, the terminal's."""
        try:
            protocol.split_terminal_id(name)
        except protocol.ProtocolError:
            self.greet_all()
        else:
            self._greet(list(self.viewers.get(name, ())))

    def _deliver(self, viewers: set[Viewer], bus_frame: bytes) -> None:
        try:
            addressee, frame = terminal_codec.unaddress(bus_frame)
            decoded = terminal_codec.decode(frame)
        except protocol.ProtocolError as error:
            log.warning("bad bus frame: %s", error)
            return
        for viewer in list(viewers):
            if addressee is None or addressee == viewer.viewer_id:
                viewer.deliver(*decoded)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, TerminalHub] = weakref.WeakKeyDictionary()


def current() -> TerminalHub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = TerminalHub(settings.REDIS_URL)
    return _hubs[loop]
