"""Who has which address in a lab's networks: pure functions of the lab, so that every start gives the same
answer.

The n-th machine of a network has the n-th address of its subnet, and a hardware address made of it. A
machine's interfaces are eth0, eth1 ... in the order in which lab.yaml names its networks. There is no router:
no address of a subnet is set apart for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

SUBNETS = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918: what a lab may number its networks from."""
HARDWARE_PREFIX = b"\x02\x42"
"""Locally administered, for one station (IEEE 802)."""


@dataclass(frozen=True)
class Network:
    """A network of a lab. ``subnet`` has room for all of its ``machines``."""

    name: str
    machines: tuple[str, ...]
    subnet: IPv4Network


@dataclass(frozen=True)
class Interface:
    """One machine's place in one network: ``network`` counts the lab's networks from 0, ``port`` its machines
    from 1."""

    network: int
    port: int
    name: str
    address: str

    @property
    def interface(self) -> IPv4Interface:
        return IPv4Interface(self.address)

    @property
    def mac(self) -> bytes:
        return HARDWARE_PREFIX + self.interface.ip.packed


def room_in(subnet: IPv4Network) -> int:
    """How many machines a subnet can have: all addresses but the first and the last."""
    return max(0, subnet.num_addresses - 2)


def interfaces_of(networks: Sequence[Network], machine: str) -> tuple[Interface, ...]:
    mine = [(number, network) for number, network in enumerate(networks) if machine in network.machines]
    return tuple(_interface(place, number, network, machine) for place, (number, network) in enumerate(mine))


def _interface(place: int, number: int, network: Network, machine: str) -> Interface:
    port = network.machines.index(machine) + 1
    return Interface(number, port, f"eth{place}", f"{network.subnet[port]}/{network.subnet.prefixlen}")


def hosts_of(networks: Sequence[Network], machines: Mapping[str, Any], viewer: str) -> tuple[str, ...]:
    """The lines of ``viewer``'s /etc/hosts: every machine that has an address, by its name and its host name.
    Where a machine has several addresses, those that ``viewer`` shares a network with come first."""
    near = {interface.network for interface in interfaces_of(networks, viewer)}
    lines = []
    for name, machine in machines.items():
        names = " ".join(dict.fromkeys((name, machine.hostname)))
        found = sorted(interfaces_of(networks, name), key=lambda interface: interface.network not in near)
        lines += [f"{interface.interface.ip} {names}" for interface in found]
    return tuple(lines)
