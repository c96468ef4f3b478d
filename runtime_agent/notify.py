"""Telling systemd that a process serves: sd_notify(3), the datagram protocol of its NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket


def ready() -> None:
    """Say READY=1 where somebody asked for it; without NOTIFY_SOCKET nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)
