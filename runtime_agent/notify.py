"""Telling systemd that a process serves: sd_notify(3), the datagram protocol of its NOTIFY_SOCKET.

The variable is taken out of the environment at once: crun and runc look for it too, would speak to systemd for the sandbox, and
fail, because the folder for it is not there (seen: "bind socket to .../notify: No such file or directory").
"""

from __future__ import annotations

import os
import socket

_address = ""


def claim() -> None:
    """Called before anything is started. Repeats safely."""
    global _address
    _address = os.environ.pop("NOTIFY_SOCKET", _address)


def ready() -> None:
    """Say READY=1 where somebody asked for it; without a NOTIFY_SOCKET nothing happens."""
    claim()
    if not _address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"READY=1", _address.replace("@", "\0", 1) if _address.startswith("@") else _address)
