"""A network of our own between a browser and the site, whose weather a test makes: cuts, delay, loss.

The browser runs in a network namespace with one way out, a tun(4) device. A thread of ours carries its packets to
another tun device in front of the site and drops or holds them on the way. What the kernel's netem would do, without
the module sch_netem, which not every kernel has: both ends are real TCP and resend what was lost by themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
MTU = 1500
IN_NAMESPACE = """
import socket, subprocess, sys
from tests.browser import weather
weather.unshare_network()
tun = weather.open_tun("wire", sys.argv[2], sys.argv[3])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"tun"], [tun])
sys.stdin.read()
"""


def unshare_network() -> None:
    """Python 3.11 has no os.unshare."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):  # CLONE_NEWNET, sched.h
        raise OSError(ctypes.get_errno(), "unshare")


def open_tun(name: str, own: str, peer: str) -> int:
    """A tun device in this thread's namespace, up, with a peer on its other side."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (["addr", "add", own, "peer", peer, "dev", name], ["link", "set", name, "up"]):
        subprocess.run(["ip", *command], check=True)
    return descriptor


class Weather:
    """``is_cut`` drops everything; ``delay_seconds`` is of the way to the browser; ``loss`` a share of both ways."""

    def __init__(self) -> None:
        self.is_cut, self.delay_seconds, self.loss, self.lost = False, 0.0, 0.0, 0
        self.number = random.randrange(250)
        self.site_address, self.browser_address = f"198.18.{self.number}.1", f"198.18.{self.number}.2"
        self.is_over = threading.Event()

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        self.holder = subprocess.Popen(
            [sys.executable, "-c", IN_NAMESPACE, str(theirs.fileno()), self.browser_address, self.site_address],
            stdin=subprocess.PIPE, pass_fds=[theirs.fileno()])
        theirs.close()
        ours.settimeout(20)
        _, [self.far], _, _ = socket.recv_fds(ours, 16, 1)
        ours.close()
        self.near = open_tun(f"bhw{self.number}", self.site_address, self.browser_address)
        self.carrier = threading.Thread(target=self._carry, daemon=True)
        self.carrier.start()

    def stop(self) -> None:
        self.is_over.set()
        self.carrier.join(5)
        self.holder.stdin.close()
        self.holder.wait(10)
        for descriptor in (self.near, self.far):
            os.close(descriptor)

    def wrapper(self, folder: Path, program: str) -> Path:
        """A program that runs ``program`` behind this network."""
        path = folder / "behind-the-weather"
        path.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{self.holder.pid}/ns/net {program} "$@"\n')
        path.chmod(0o755)
        return path

    def inhabitants(self) -> list[int]:
        """The processes of the far side, which are the browser's."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if pid != self.holder.pid and _network_of(pid) == _network_of(self.holder.pid)]

    def _carry(self) -> None:
        held: list[tuple[float, int, int, bytes]] = []
        count = 0
        while not self.is_over.is_set():
            wait = min(0.2, max(0.0, held[0][0] - time.monotonic())) if held else 0.2
            for tun in select.select([self.near, self.far], [], [], wait)[0]:
                with contextlib.suppress(BlockingIOError):
                    packet = os.read(tun, MTU + 64)
                    if self.is_cut or random.random() < self.loss:
                        self.lost += 1
                        continue
                    target, delay = (self.far, self.delay_seconds) if tun == self.near else (self.near, 0.0)
                    heapq.heappush(held, (time.monotonic() + delay, count := count + 1, target, packet))
            while held and held[0][0] <= time.monotonic():
                _, _, target, packet = heapq.heappop(held)
                with contextlib.suppress(OSError):  # a device whose queue is full drops, as a router does
                    os.write(target, packet)


@contextlib.contextmanager
def raised() -> Iterator[Weather]:
    weather = Weather()
    weather.start()
    try:
        yield weather
    finally:
        weather.stop()


def _network_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""
