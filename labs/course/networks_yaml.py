"""The parts of lab.yaml that are about several machines: who is wired to whom, and which ports the page
shows."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network
from typing import Any

from labs.course.findings import nearest
from labs.course.yaml_file import Node

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
MAX_NETWORKS, MAX_PREVIEWS = 8, 8


def networks(node: Node | None, machines: Collection[str]) -> list[dict[str, Any]]:
    """``networks:`` in the file's order: it numbers the interfaces, and the order of ``machines`` the
    addresses."""
    found: list[dict[str, Any]] = []
    taken: dict[str, IPv4Network] = {}
    for name, entry in node.items() if node else ():
        if not NAME.fullmatch(name):
            entry.complain("form", f"{name!r} is no name: small letters, digits and dashes, at most 32")
            continue
        entry.only(("machines", "subnet"))
        members = _members(entry, machines)
        subnet = _subnet(entry, taken, len(members))
        if subnet:
            taken[name] = subnet
        found.append({"name": name, "machines": members, "subnet": str(subnet)})
    if node and (not node.is_mapping() or len(found) > MAX_NETWORKS):
        node.complain("form", f"'networks' maps up to {MAX_NETWORKS} names to {{machines: [...], subnet: 10.20.0.0/24}}")
    return found


def _members(entry: Node, machines: Collection[str]) -> list[str]:
    names = entry.texts("machines")
    if not names:
        (entry.get("machines") or entry).complain("missing", "a network needs 'machines': the list of those in it")
    for name in names:
        if name not in machines:
            entry.get("machines").complain("unknown-machine",
                                           f"there is no machine {name!r}.{nearest(name, machines)}")
    if len(set(names)) < len(names):
        entry.get("machines").complain("twice", "a machine is in a network once")
    return names


def _subnet(entry: Node, taken: dict[str, IPv4Network], machines: int) -> IPv4Network | None:
    text, node = entry.text("subnet"), entry.get("subnet")
    if not text or node is None:
        return None
    try:
        subnet = IPv4Network(text)
    except ValueError:
        node.complain("subnet", f"{text!r} is no subnet: write the network's address and length, for example 10.20.0.0/24")
        return None
    if not any(map(subnet.subnet_of, PRIVATE)):
        node.complain("subnet", f"{subnet} is not private: take it from {', '.join(map(str, PRIVATE))}")
    if subnet.num_addresses - 2 < machines:
        node.complain("subnet", f"{subnet} has room for {max(0, subnet.num_addresses - 2)} machines, not for {machines}")
    for other, theirs in taken.items():
        if subnet.overlaps(theirs):
            node.complain("subnet", f"{subnet} overlaps {theirs} of the network {other!r}")
    return subnet


def previews(node: Node | None, machines: Collection[str]) -> list[dict[str, Any]]:
    """``previews:``, each a tab beside the terminals."""
    entries = node.entries() if node else []
    if node and (not entries or len(entries) > MAX_PREVIEWS):
        node.complain("form", f"'previews' is a list of 1 to {MAX_PREVIEWS} {{title: Web, machine: box, port: 8080}}")
    return [_preview(entry, machines) for entry in entries]


def _preview(entry: Node, machines: Collection[str]) -> dict[str, Any]:
    entry.only(("title", "machine", "port"))
    if entry.get("port") is None:
        entry.complain("missing", "'port' is missing: the TCP port to show")
    return {"title": entry.text("title", "Web", most=80), "machine": machine_of(entry, machines),
            "port": int(entry.number("port", 80, 1, 65535))}


def machine_of(node: Node, machines: Collection[str]) -> str:
    """The machine that ``node`` names, by default the first."""
    first = next(iter(machines), "")
    name = node.text("machine", first or "box")
    if machines and name not in machines:
        node.get("machine").complain("unknown-machine", f"there is no machine {name!r}.{nearest(name, machines)}")
        return first
    return name
