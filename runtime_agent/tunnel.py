"""``python -m runtime_agent tunnel``: carries the bytes of web previews between the site and ports of
sandboxes, and brings recordings of terminals to the site.

It knows TCP and nothing of HTTP: what a sandbox answers is parsed by the site, which has no privileges. The
site opens a stream, each side sends as far as the other gives credit, and whatever is lost or refused ends
the stream with a reason (tunnel_codec.TunnelEnd). Streams are this process' memory only: kill it, and the site's
pages say so.

It is a process of its own so that a page of 10 MB never delays a key in a terminal.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import signal
import weakref
from typing import Any

from runtime_agent import logs, notify, protocol, recording
from runtime_agent.bus import Connection
from runtime_agent.fetch import Fetch
from runtime_agent.preview_target import Targets
from runtime_agent.protocol import ProtocolError, tunnel_codec
from runtime_agent.protocol.tunnel_codec import Tunnel, TunnelEnd
from runtime_agent.settings import Settings
from runtime_agent.stream import Rate, Stream

MAX_STREAMS, MAX_STREAMS_PER_SESSION = 512, 24
ALIVE_SECONDS = 20.0
BYTES_PER_SECOND = 16 << 20
"""For each session and both directions: Redis has terminals to carry as well."""
NOBODY = 0
log = logging.getLogger(__name__)


class TunnelProcess:
    """All streams of this host. ``targets`` opens sockets, or is a stand-in."""

    def __init__(self, settings: Settings, targets: Targets | Any = None):
        self.settings = settings
        self.targets = targets or Targets(settings)
        self.streams: dict[tuple[int, int], Stream] = {}
        self.rates: weakref.WeakValueDictionary[bytes, Rate] = weakref.WeakValueDictionary()
        self.asked: collections.deque[int] = collections.deque()
        self.flows = asyncio.Event()
        self.listener = Connection(settings.redis_url, self._listen, self._heard)
        self.speaker = Connection(settings.redis_url, self._greet, self._answered, self.flows.set)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        tasks = [asyncio.create_task(work) for work in (self.listener.run(), self.speaker.run(), self._look_after())]
        await stopped.wait()
        self._begin_anew()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.listener.close()
        self.speaker.close()

    # --- from the site ------------------------------------------------------------------------------------

    def _listen(self, connection: Connection) -> None:
        connection.send(b"SUBSCRIBE", protocol.tunnel_channel(self.settings.host).encode())

    def _heard(self, reply: Any) -> None:
        if not isinstance(reply, list):
            return
        if reply[0] == b"subscribe":
            notify.ready()
            self._begin_anew()
            return
        try:
            self.take(reply[2])
        except ProtocolError as error:
            log.warning("bad tunnel frame: %s", error)

    def take(self, frame: bytes) -> None:
        """One frame of the site's. Raises ProtocolError."""
        kind, site, number, fields, data = tunnel_codec.decode(frame)
        if kind is Tunnel.ALIVE:
            return
        stream = self.streams.get((site, number))
        if kind in (Tunnel.OPEN, Tunnel.FETCH) and stream is None:
            self._open(site, number, fields[0] if fields else None, data)
        elif stream is not None:
            stream.take(kind, fields, data)
        elif kind is not Tunnel.RESET:
            self.publish(site, tunnel_codec.encode(Tunnel.RESET, site, number, TunnelEnd.LOST))

    def _open(self, site: int, number: int, port: int | None, name: bytes) -> None:
        """A stream to ``port`` of a machine, or without one to a file."""
        same = sum(1 for stream in self.streams.values() if stream.session == name[:36])
        if len(self.streams) >= MAX_STREAMS or same >= MAX_STREAMS_PER_SESSION:
            self.publish(site, tunnel_codec.encode(Tunnel.RESET, site, number, TunnelEnd.TOO_MANY))
            return
        rate = self.rates.setdefault(name[:36], Rate(BYTES_PER_SECOND))
        stream = (Fetch if port is None else Stream)(self, site, number, name[:36], rate)
        self.streams[site, number] = stream
        if port is None:
            stream.begin(lambda: recording.read(self.settings, name))
        else:
            stream.start(lambda: self.targets.open(name, port), port)

    # --- to the site --------------------------------------------------------------------------------------

    def _greet(self, speaker: Connection) -> None:
        """A new connection: the answers to what was asked on the old one never come."""
        self.asked.clear()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Redis was away, so frames may be lost in either direction: every stream ends, here and there."""
        self.end_all()
        self._publish(NOBODY, protocol.TUNNEL_HELLO_CHANNEL, self.settings.host.encode())

    def publish(self, site: int, frame: bytes) -> None:
        """Send one frame; while Redis is away it is dropped, and all streams end when it is back."""
        self._publish(site, protocol.tunnel_site_channel(site), frame)

    def _publish(self, site: int, channel: str, message: bytes) -> None:
        if self.speaker.send(b"PUBLISH", channel.encode(), message):
            self.asked.append(site)

    def _answered(self, receivers: Any) -> None:
        """Each PUBLISH is answered in order with the number that received it. A site that is gone needs no
        streams."""
        if not isinstance(receivers, int):
            return
        site = self.asked.popleft()
        if receivers == 0 and site != NOBODY:
            self.end_all(site)

    async def wait_for_flow(self) -> None:
        """Return when Redis takes more."""
        while self.speaker.is_clogged:
            self.flows.clear()
            await self.flows.wait()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            for stream in [stream for stream in self.streams.values() if stream.is_idle()]:
                stream.end(TunnelEnd.TOO_SLOW)
            for site in {stream.site for stream in self.streams.values()}:
                self.publish(site, tunnel_codec.encode(Tunnel.ALIVE, site, 0))

    # --- ending -------------------------------------------------------------------------------------------

    def forget(self, stream: Stream) -> None:
        self.streams.pop((stream.site, stream.number), None)

    def end_all(self, site: int | None = None) -> None:
        """Without a word: of a site that is gone, or of all of them."""
        for stream in [stream for stream in self.streams.values() if site in (None, stream.site)]:
            stream.end()


def main(settings: Settings) -> int:
    """Serve until told to stop."""
    logs.set_up("tunnel")

    async def serve() -> None:
        await TunnelProcess(settings).run()
    asyncio.run(serve())
    return 0
