"""One network namespace: its interfaces, addresses, routes and listening sockets.

Netlink and /proc/thread-self/net answer for the namespace of the asking thread, so ``look`` runs in the visitor.
Numbers and layouts are from linux/rtnetlink.h, if_link.h and if_addr.h; see rtnetlink(7).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import Any

from runtime_agent.xray.reading import clean, read

NETLINK_ROUTE = 0
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 18, 22, 26
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR = 1, 0x300, 3, 2
IFF_UP, IFF_LOOPBACK = 1, 8
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_LINK_NETNSID = 1, 3, 4, 5, 10, 18, 37
IFLA_INFO_KIND = 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15
RT_TABLE_MAIN, RTN_UNICAST = 254, 1
MAX_INTERFACES, MAX_ROUTES, MAX_SOCKETS = 64, 64, 64
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
TCP_LISTEN, UDP_UNCONNECTED = 10, 7
Look = dict[str, Any]


def look() -> Look:
    """What the calling thread's network namespace holds. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE) as asker:
        asker.settimeout(1)
        links = [parse_link(body) for body in _dump(asker, RTM_GETLINK, struct.pack("BxHiII", 0, 0, 0, 0, 0))]
        addresses = [parse_address(body) for body in _dump(asker, RTM_GETADDR, struct.pack("BBBBi", 0, 0, 0, 0, 0))]
        routes = [parse_route(body) for body in _dump(asker, RTM_GETROUTE, struct.pack("BBBBBBBBI", *[0] * 9))]
    return assemble(links, addresses, [route for route in routes if route], listening())


def assemble(links: list[Look], addresses: list[tuple[int, str]], routes: list[Look], sockets: list[Look]) -> Look:
    """Put names where the kernel has numbers; "peer" and "peer_is_here" are for ``join``."""
    names = {link["index"]: link["name"] for link in links}
    for link in links[:MAX_INTERFACES]:
        link["addresses"] = [address for index, address in addresses if index == link["index"]][:8]
        link["bridge"] = names.get(link.pop("master"), "")
    return {"interfaces": links[:MAX_INTERFACES], "listening": sockets,
            "routes": [{**route, "interface": names.get(route["interface"], "")} for route in routes[:MAX_ROUTES]]}


def join(networks: list[Look]) -> None:
    """Find the other end of each veth pair: the end whose own other end is this one, here or in another namespace."""
    ends = {(network["ns"], link["index"]): link for network in networks for link in network["interfaces"]
            if link["kind"] == "veth"}
    for (namespace, index), link in ends.items():
        is_here = link["is_here"]
        others = [key for key, other in ends.items() if key[1] == link["peer_index"] and other["peer_index"] == index
                  and (key[0] == namespace) is is_here and key != (namespace, index)]
        link["peer_ns"] = others[0][0] if len(others) == 1 else 0
    for network in networks:
        for link in network["interfaces"]:
            link.pop("is_here")


def _dump(asker: socket.socket, kind: int, body: bytes) -> Iterator[bytes]:
    """The bodies of all answers to one question."""
    asker.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, kind, 0) + body)
    while True:
        answer = memoryview(asker.recv(1 << 16))
        while len(answer) >= 16:
            length, answered, _, sequence, _ = struct.unpack_from("=IHHII", answer)
            if answered == NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", answer, 16)[0], "netlink")
            if answered == NLMSG_DONE or length < 16:
                return
            if sequence == kind:
                yield bytes(answer[16:length])
            answer = answer[(length + 3) & ~3:]


def attributes(body: bytes) -> dict[int, bytes]:
    """Netlink attributes: length, type, value, padded to 4 bytes."""
    found = {}
    while len(body) >= 4:
        length, kind = struct.unpack_from("=HH", body)
        if length < 4:
            break
        found[kind & 0x3FFF] = body[4:length]
        body = body[(length + 3) & ~3:]
    return found


def _number(found: dict[int, bytes], key: int) -> int:
    return struct.unpack("=I", found[key])[0] if len(found.get(key, b"")) == 4 else 0


def parse_link(body: bytes) -> Look:
    """struct ifinfomsg and its attributes."""
    _, kind, index, flags, _ = struct.unpack_from("=BxHiII", body)
    found = attributes(body[16:])
    word = attributes(found.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode("ascii", "replace")
    return {"name": clean(found.get(IFLA_IFNAME, b"").rstrip(b"\0"), 32), "index": index, "is_up": bool(flags & IFF_UP),
            "kind": clean(word, 32) or ("loopback" if flags & IFF_LOOPBACK else "other"),
            "mac": "" if flags & IFF_LOOPBACK else ":".join(f"{byte:02x}" for byte in found.get(IFLA_ADDRESS, b"")[:8]),
            "mtu": _number(found, IFLA_MTU), "master": _number(found, IFLA_MASTER),
            "peer_index": _number(found, IFLA_LINK) if word == "veth" else 0, "peer_ns": 0,
            "is_here": IFLA_LINK_NETNSID not in found, "addresses": []}


def parse_address(body: bytes) -> tuple[int, str]:
    """struct ifaddrmsg: (interface number, address with prefix)."""
    family, prefix, _, _, index = struct.unpack_from("=BBBBi", body)
    found = attributes(body[8:])
    raw = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS) or b""
    return index, f"{_address(raw)}/{prefix}"


def parse_route(body: bytes) -> Look | None:
    """struct rtmsg; None for what is not of the main table (local and broadcast routes are the kernel's own)."""
    family, prefix, _, _, table, _, _, kind, _ = struct.unpack_from("=BBBBBBBBI", body)
    found = attributes(body[12:])
    if (_number(found, RTA_TABLE) or table) != RT_TABLE_MAIN or kind != RTN_UNICAST:
        return None
    destination = f"{_address(found[RTA_DST])}/{prefix}" if RTA_DST in found else "default"
    return {"destination": destination, "gateway": _address(found.get(RTA_GATEWAY, b"")),
            "interface": _number(found, RTA_OIF)}


def _address(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw)) if len(raw) in (4, 16) else ""


def listening() -> list[Look]:
    """Sockets that wait for others. sock_diag(7) looks at these alone; where it can't be had, the tables in /proc are read,
    for which the kernel walks through every connection of the host (1.5 ms instead of 0.02)."""
    found = {}
    for protocol, number, state in (("tcp", socket.IPPROTO_TCP, TCP_LISTEN), ("udp", socket.IPPROTO_UDP, UDP_UNCONNECTED)):
        for name, family in ((protocol, socket.AF_INET), (f"{protocol}6", socket.AF_INET6)):
            try:
                sockets = list(_diagnose(family, number, state))
            except OSError:
                sockets = list(parse_sockets(read(f"/proc/thread-self/net/{name}", limit=65536), f"{state:02X}"))
            for address, port in sockets:
                found[protocol, address, port] = {"protocol": protocol, "address": address, "port": port}
    return [found[key] for key in sorted(found)][:MAX_SOCKETS]


def _diagnose(family: int, protocol: int, state: int) -> Iterator[tuple[str, int]]:
    """struct inet_diag_req_v2 and inet_diag_msg, linux/inet_diag.h."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as asker:
        asker.settimeout(1)
        for body in _dump(asker, SOCK_DIAG_BY_FAMILY, struct.pack("BBBBI", family, protocol, 0, 0, 1 << state) + bytes(48)):
            yield _address(body[8:12] if family == socket.AF_INET else body[8:24]), int.from_bytes(body[4:6], "big")


def parse_sockets(content: bytes, state: str) -> Iterator[tuple[str, int]]:
    """(address, port) of the lines in that state. Addresses are 32-bit words in the machine's order, in hexadecimal."""
    for line in content.decode("ascii", "replace").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == state:
            words, _, port = fields[1].partition(":")
            raw = b"".join(struct.pack("=I", int(words[at:at + 8], 16)) for at in range(0, len(words), 8))
            yield _address(raw), int(port, 16)
