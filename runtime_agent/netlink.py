"""As much of NETLINK_ROUTE as a lab's network needs: make links, give addresses.

Messages and attributes are those of rtnetlink(7), linux/if_link.h and linux/veth.h. A socket belongs for life
to the network namespace of the thread that opened it; that is how one thread speaks to several namespaces.
Processes of ``ip`` would cost ten times as much. Only ``network`` uses this module.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Interface

RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR = 16, 17, 20
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NLMSG_ERROR = 2
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_BR_MCAST_SNOOPING = 23
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
NESTED = 0x8000
TIMEOUT_SECONDS = 5.0

_HEADER = struct.Struct("=IHHII")      # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")       # family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")     # family, prefix length, flags, scope, index


@dataclass(frozen=True)
class Peer:
    """The end of a pair that a machine gets: ``namespace`` is a descriptor of its network namespace."""

    namespace: int
    name: str
    index: int
    mac: bytes


class Netlink:
    """Requests to one network namespace. Each is answered before the call returns; a refusal raises
    OSError."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(TIMEOUT_SECONDS)
        self._sequence = itertools.count(1)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def add_bridge(self, name: str, index: int) -> None:
        """A bridge that is up, forwards everything and looks into nothing. One of that name may be there."""
        options = attribute(IFLA_BR_MCAST_SNOOPING, b"\0")
        try:
            self._request(RTM_NEWLINK, link(index) + text(IFLA_IFNAME, name) + kind("bridge", options))
        except FileExistsError:
            return

    def add_veth(self, name: str, index: int, master: int, peer: Peer) -> None:
        """A pair: ``name``, up, on the bridge ``master``; its peer in another namespace, where it has to be
        set up."""
        far_end = (link(peer.index, flags=0) + text(IFLA_IFNAME, peer.name) + attribute(IFLA_ADDRESS, peer.mac)
                   + number(IFLA_NET_NS_FD, peer.namespace))
        self._request(RTM_NEWLINK, link(index) + text(IFLA_IFNAME, name) + number(IFLA_MASTER, master)
                      + kind("veth", attribute(VETH_INFO_PEER, far_end)))

    def set_up(self, index: int) -> None:
        self._request(RTM_NEWLINK, link(index), 0)

    def add_address(self, index: int, address: IPv4Interface) -> None:
        body = _ADDRESS.pack(socket.AF_INET, address.network.prefixlen, 0, 0, index)
        for which, value in ((IFA_LOCAL, address.ip), (IFA_ADDRESS, address.ip),
                             (IFA_BROADCAST, address.network.broadcast_address)):
            body += attribute(which, value.packed)
        self._request(RTM_NEWADDR, body)

    def remove(self, index: int) -> None:
        """Delete a link, and with an end of a pair the other end. One that is not there is no error."""
        try:
            self._request(RTM_DELLINK, link(index), 0)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def _request(self, message: int, body: bytes, flags: int = NLM_F_CREATE | NLM_F_EXCL) -> None:
        sequence = next(self._sequence)
        flags |= NLM_F_REQUEST | NLM_F_ACK
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), message, flags, sequence, 0) + body)
        while True:
            answer = self._socket.recv(65536)
            _, answered, _, number_, _ = _HEADER.unpack_from(answer)
            if answered == NLMSG_ERROR and number_ == sequence:
                break
        code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if code:
            raise OSError(code, os.strerror(code), f"netlink message {message}")



def link(index: int, flags: int = IFF_UP) -> bytes:
    """ifinfomsg. With its flag a link comes up as it is made; a peer can't: veth_open() wants both ends."""
    return _LINK.pack(socket.AF_UNSPEC, 0, index, flags, flags)


def kind(name: str, options: bytes) -> bytes:
    return attribute(IFLA_LINKINFO | NESTED, text(IFLA_INFO_KIND, name) + attribute(IFLA_INFO_DATA | NESTED, options))


def attribute(which: int, value: bytes) -> bytes:
    """rtattr: length, type, value, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), which) + value + bytes(-len(value) % 4)


def text(which: int, value: str) -> bytes:
    return attribute(which, value.encode() + b"\0")


def number(which: int, value: int) -> bytes:
    return attribute(which, struct.pack("=I", value))
