"""``python -m runtime_agent bridge``: the one process that carries bytes between PTYs and Redis.

It owns no terminal: masters are duplicates of what conmon holds (terminal.adopt), rings are files, viewers greet again.
Kill it at any time and start it again: a program that prints meanwhile waits in the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from runtime_agent import logs, marks, notify, proc, protocol, recording, terminal
from runtime_agent.bus import Connection
from runtime_agent.channel import Channel
from runtime_agent.commands import Mark
from runtime_agent.errors import AgentError
from runtime_agent.marks import TerminalMark
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame
from runtime_agent.ring import Ring
from runtime_agent.settings import Settings
from runtime_agent.terminal import Terminal

HELD_SECONDS = 10.0
"""How long a program is held for pages of which nothing is heard, and how often the bridge looks."""
GREET_SECONDS = 1.0
"""How long a new bridge leaves output in the kernel, so that viewers greet before a flood has left the ring."""
EXIT_STATUS_SECONDS = 2.0
log = logging.getLogger(__name__)


class Bridge:
    """All open terminals of this host. ``find``, ``adopt`` and ``recorded`` are terminal's, or stand-ins."""

    def __init__(self, settings: Settings, *, find: Callable[[Settings, str], Terminal | None] = terminal.find,
                 adopt: Callable[[Terminal], int] = terminal.adopt,
                 recorded: Callable[[Settings], Iterable[tuple[str, Terminal]]] = terminal.recorded):
        self.settings, self.find, self.adopt, self.recorded = settings, find, adopt, recorded
        self.channels: dict[str, Channel] = {}
        self.known: dict[str, Terminal] = {}
        self.questions: list[str] = []
        self.refused: dict[str, int] = {}
        self.agent_dir = Path(settings.run_dir) / "agent"
        self.marks = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.listener = Connection(settings.redis_url, self._listen, self._heard)
        self.speaker = Connection(settings.redis_url, self._announce, self._answered, self._steer_all)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; the terminals stay."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        self._open_doorbell()
        for terminal_id, found in self.recorded(self.settings):
            if found.is_alive():
                self.open(terminal_id, is_waiting=True)
        tasks = [asyncio.create_task(connection.run()) for connection in (self.speaker, self.listener)]
        tasks.append(asyncio.create_task(self._look_after_held()))
        notify.ready()
        try:
            await stopped.wait()
        finally:
            for task in tasks:
                task.cancel()
            loop.remove_reader(self.doorbell)
            self.doorbell.close()
            for connection in (self.listener, self.speaker):
                connection.close()

    # --- terminals ----------------------------------------------------------------------------------------

    def open(self, terminal_id: str, is_waiting: bool = False) -> Channel | None:
        """The channel of a living terminal, opened now if it was not; None if this host has none of that name."""
        found = self.find(self.settings, terminal_id)
        if found is None:
            return None
        channel = self.channels.get(terminal_id)
        if channel and self.known[terminal_id] == found:
            return channel
        if channel:
            channel.drain()
        path = self.agent_dir / "rings" / f"{terminal_id}.{found.conmon_pid}.{found.conmon_start_ticks}"
        try:
            master = self.adopt(found)
        except AgentError:
            self._say_ended(terminal_id, found, path)
            return None
        for old in path.parent.glob(f"{terminal_id}.*"):
            if old != path:
                old.unlink(missing_ok=True)
        try:
            ring = Ring(path)
        except OSError as error:
            os.close(master)
            log.error("no room for a terminal session_id=%s: %s", terminal_id, error)
            return None
        self.known[terminal_id] = found
        self.channels[terminal_id] = Channel(
            terminal_id, master, ring, publish=self._publisher(terminal_id),
            is_clogged=lambda: self.speaker.is_clogged, on_mark=self._mark, on_end=self._ended,
            is_waiting=is_waiting, recorder=recording.recorder_of(self.settings, terminal_id, found, ring, master))
        self._watch_end(terminal_id, found)
        log.info("terminal open session_id=%s", terminal_id)
        return self.channels[terminal_id]

    def _publisher(self, terminal_id: str) -> Callable[[bytes], None]:
        name = protocol.output_channel(terminal_id).encode()

        def publish(frame: bytes) -> None:
            self.speaker.send(b"PUBLISH", name, frame)
        return publish

    def _watch_end(self, terminal_id: str, found: Terminal) -> None:
        """A background job may keep the PTY open, so the end is conmon's, not the PTY's."""
        loop, pidfd = asyncio.get_running_loop(), proc.open_pidfd(found.conmon_pid, found.conmon_start_ticks)
        if pidfd is None:
            loop.call_soon(self._conmon_ended, terminal_id, found, None)
        else:
            loop.add_reader(pidfd, self._conmon_ended, terminal_id, found, pidfd)

    def _conmon_ended(self, terminal_id: str, found: Terminal, pidfd: int | None) -> None:
        """The id may have been given to a new terminal meanwhile, which is none of our business."""
        if pidfd is not None:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)
        if self.known.get(terminal_id) == found:
            self.channels[terminal_id].drain()

    def _ended(self, channel: Channel) -> None:
        self.channels.pop(channel.terminal_id, None)
        found = self.known.pop(channel.terminal_id)
        asyncio.ensure_future(self._say_exit(channel, found))

    async def _say_exit(self, channel: Channel, found: Terminal) -> None:
        """conmon writes the status a moment after the PTY closes."""
        status, deadline = found.exit_status(), asyncio.get_running_loop().time() + EXIT_STATUS_SECONDS
        while status is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
            status = found.exit_status()
        if channel.recorder:
            channel.recorder.close()
        channel.publish(terminal_codec.encode(Frame.EXIT, channel.ring.head, -1 if status is None else status))
        channel.ring.close()
        self._tell(TerminalMark(protocol.split_terminal_id(channel.terminal_id)[0]))

    def _say_ended(self, terminal_id: str, found: Terminal, ring_path: Path) -> None:
        """Somebody greets a terminal whose shell has ended."""
        if ring_path.exists():
            ring = Ring(ring_path)
            status = found.exit_status()
            self._publisher(terminal_id)(terminal_codec.encode(Frame.EXIT, ring.head, -1 if status is None else status))
            ring.close()

    def _mark(self, terminal_id: str, mark: Mark) -> None:
        """A command has begun or ended: the control process looks at the tasks, and keeps it for the time line."""
        session_id, number = protocol.split_terminal_id(terminal_id)
        self._tell(TerminalMark(session_id, number, mark.is_done, mark.text, mark.status))

    def _tell(self, mark: TerminalMark) -> None:
        """Nobody listening is no error."""
        with contextlib.suppress(OSError):
            self.marks.sendto(marks.encode(mark), str(self.agent_dir / "marks.sock"))

    # --- Redis --------------------------------------------------------------------------------------------

    def _listen(self, connection: Connection) -> None:
        connection.send(b"PSUBSCRIBE", protocol.INPUT_PATTERN.encode())

    def _announce(self, connection: Connection) -> None:
        self.questions.clear()
        connection.send(b"PUBLISH", protocol.BRIDGE_HELLO_CHANNEL.encode(), self.settings.host.encode())

    def _heard(self, reply: Any) -> None:
        """One message of the input pattern: [b"pmessage", pattern, channel, bus frame]."""
        if isinstance(reply, list) and reply[0] == b"psubscribe":
            self._announce(self.speaker)  # only now do greetings reach us
            asyncio.get_running_loop().call_later(GREET_SECONDS, self._stop_waiting)
        if not isinstance(reply, list) or reply[0] != b"pmessage":
            return
        terminal_id = reply[2].decode("ascii", "replace").removeprefix("term:").removesuffix(":in")
        try:
            protocol.split_terminal_id(terminal_id)
            viewer, frame = terminal_codec.unaddress(reply[3])
        except protocol.ProtocolError as error:
            self._refuse(error.reason, terminal_id)
            return
        if viewer is None:
            self._refuse("wrong-way", terminal_id)
            return
        channel = self.channels.get(terminal_id)
        if frame[:1] == bytes((Frame.HELLO,)):
            channel = self.open(terminal_id)
        if channel:
            channel.take(viewer, frame)

    def _refuse(self, reason: str, terminal_id: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if self.refused[reason] % 100 == 1:
            log.warning("bad frame reason=%s session_id=%s", reason, terminal_id[:40])

    def _stop_waiting(self) -> None:
        for channel in list(self.channels.values()):
            channel.stop_waiting()

    def _steer_all(self) -> None:
        for channel in list(self.channels.values()):
            channel.steer()

    # --- viewers that went without a word -----------------------------------------------------------------

    async def _look_after_held(self) -> None:
        """A channel that is held for a viewer whose site has died would be held for ever."""
        while True:
            await asyncio.sleep(HELD_SECONDS)
            now = asyncio.get_running_loop().time()
            for channel in list(self.channels.values()):
                if channel.held_since is not None and not channel.reading and now - channel.held_since >= HELD_SECONDS:
                    name = protocol.output_channel(channel.terminal_id)
                    if self.speaker.send(b"PUBSUB", b"NUMSUB", name.encode()):
                        self.questions.append(channel.terminal_id)

    def _answered(self, reply: Any) -> None:
        """Replies to PUBLISH are numbers; an answer to NUMSUB is [channel, count]."""
        if isinstance(reply, list) and self.questions:
            channel = self.channels.get(self.questions.pop(0))
            if channel and reply[1] == 0:
                channel.forget_all()

    # --- the doorbell -------------------------------------------------------------------------------------

    def _open_doorbell(self) -> None:
        """control sends the id of a terminal that it has just opened."""
        self.agent_dir.mkdir(parents=True, exist_ok=True)
        path = self.agent_dir / "bridge.sock"
        path.unlink(missing_ok=True)
        self.doorbell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.doorbell.bind(str(path))
        path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self.doorbell, self._rung)

    def _rung(self) -> None:
        text = self.doorbell.recv(128).decode("ascii", "replace")
        try:
            protocol.split_terminal_id(text)
        except protocol.ProtocolError as error:
            self._refuse(error.reason, text)
            return
        if text not in self.channels and self.open(text):
            self.speaker.send(b"PUBLISH", protocol.BRIDGE_HELLO_CHANNEL.encode(), text.encode())


def main(settings: Settings) -> int:
    """Serve until told to stop."""
    logs.set_up("bridge")

    async def serve() -> None:
        await Bridge(settings).run()
    asyncio.run(serve())
    return 0
