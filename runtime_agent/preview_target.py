"""From what the site asks to see, to a socket in the machine: which ports of which sandboxes may be connected
to.

The site's word is not enough: the session must be ready on this host, and its lab must name the port as a
preview.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Sequence
from pathlib import Path

from runtime_agent import content, network, protocol, sandbox
from runtime_agent.errors import AgentError
from runtime_agent.lab import Lab, Preview
from runtime_agent.protocol.tunnel_codec import TunnelEnd
from runtime_agent.records import Records
from runtime_agent.settings import Settings


class Refused(Exception):
    """``end`` says why, in the protocol's words."""

    def __init__(self, end: TunnelEnd):
        super().__init__(end.name)
        self.end = end


class Targets:
    """The previews of this host's sessions."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.records = Records(settings.agent_dir)

    def open(self, name: bytes, port: int) -> tuple[socket.socket, Sequence[str]]:
        """A socket in the namespace of "<session id>/<machine>", not yet connected, and the addresses to try
        in order: a program may listen on the machine's own address only. Takes milliseconds. Raises
        Refused."""
        try:
            session_id, _, machine = name.decode().partition("/")
            record = self.records.find(protocol.check_session_id(session_id))
            if record is None or record.state != "ready":
                raise Refused(TunnelEnd.NO_SANDBOX)
            if Preview(machine, port) not in _lab(self.settings.content_dir, record.lab).previews:
                raise Refused(TunnelEnd.NOT_A_PREVIEW)
            box = sandbox.find(self.settings, session_id, machine)
            if box is None:
                raise Refused(TunnelEnd.NO_SANDBOX)
            own = [str(interface.interface.ip) for interface in box.spec.interfaces]
            return network.open_socket(box.init_pid, box.state["init_start_ticks"]), ["127.0.0.1", *own]
        except (AgentError, OSError, UnicodeDecodeError, protocol.ProtocolError) as error:
            raise Refused(TunnelEnd.NO_SANDBOX) from error


@functools.lru_cache(maxsize=64)
def _lab(content_dir: Path, digest: str) -> Lab:
    """A bundle never changes under its digest; reading one costs a hash of all its files."""
    return content.load_lab(content_dir, digest)
