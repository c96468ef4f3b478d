"""Specifications of machines to test with."""

from __future__ import annotations

import uuid
from dataclasses import replace
from ipaddress import IPv4Network

from runtime_agent import addresses, sandbox
from runtime_agent.addresses import Network

SIZES = {"standard": (256 << 20, 256, 0.5), "nested": (1 << 30, 512, 1.0)}


def specification(profile: str) -> sandbox.Spec:
    """A machine with the defaults of its profile and a session of its own."""
    memory, pids, cpus = SIZES[profile]
    return sandbox.Spec(str(uuid.uuid4()), "box", "base", profile, "root", "lab", memory, pids, cpus, 512 << 20)


def kind(profile="standard", **fields):
    return replace(specification(profile), session_id=str(uuid.uuid4()), **fields)


def kind_on_a_network():
    """Its spares are created and not started."""
    lan = (Network("lan", ("box",), IPv4Network("10.20.0.0/24")),)
    return kind(interfaces=addresses.interfaces_of(lan, "box"))
