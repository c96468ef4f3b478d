"""The one home of lab networks: switches, cables and addresses.

Theory of operation. A session whose lab has networks owns one *switch*: a network namespace with a bridge for
each network, and nothing else. No process lives in it and none of its bridges has an address or an uplink, so
there is nothing to route to, and no firewall rule is needed. A machine gets a veth pair for each of its
networks, one end on the bridge, the other in the namespace that the runtime made for it, between create and
start: its first process finds the interface up and numbered.

The switch is held by a mount, ``VIEW/net/<session_id>``, in the agent's mount namespace. So it is found again
from the id alone by a restarted agent, vanishes with the mount when ``remove`` takes it away, and with the
mount namespace itself when the last process of the agent and of all sandboxes is gone. The kernel deletes
bridges and pairs with it.

A thread that has entered another namespace is never used for anything else: each call runs in a thread of its
own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runtime_agent import mountapi, proc, protocol
from runtime_agent.addresses import Interface
from runtime_agent.errors import AgentError
from runtime_agent.namespace import VIEW
from runtime_agent.netlink import Netlink, Peer

SWITCHES = VIEW / "net"
FIRST_BRIDGE, FIRST_PORT, PORTS_PER_NETWORK = 100, 1000, 100
FIRST_INTERFACE = 2
"""Numbers of links are ours to choose in namespaces that are new: the loopback is 1."""


def connect(session_id: str, interfaces: Sequence[Interface], pid: int) -> None:
    """Plug in the machine whose created, not yet started process is ``pid``. Raises
    AgentError("start-failed")."""
    if not interfaces:
        return
    try:
        machine = _open_namespace(pid)
        try:
            in_own_thread(lambda: _plug(_path(session_id), interfaces, machine))
        finally:
            os.close(machine)
    except OSError as error:
        raise AgentError("start-failed", f"network: {error}") from error


def remove(session_id: str) -> None:
    """Take the session's switch away; what is still plugged in loses its cable. Repeats safely."""
    path = _path(session_id)
    mountapi.unmount(path)
    path.unlink(missing_ok=True)


def open_socket(pid: int, ticks: int) -> socket.socket:
    """A TCP socket in the network namespace of exactly that process: connecting it reaches what the process
    would.

    Raises OSError(ESRCH) if it has ended.
    """
    pidfd = proc.open_pidfd(pid, ticks)
    if pidfd is None:
        raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))

    def enter_and_open() -> socket.socket:
        mountapi.setns(pidfd, mountapi.CLONE_NEWNET)
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    try:
        return in_own_thread(enter_and_open)
    finally:
        os.close(pidfd)


def in_own_thread(call: Callable[[], Any]) -> Any:
    """Run ``call``, which may change its thread's network namespace, and hand on what it returns or
    raises."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="network")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _path(session_id: str) -> Path:
    return SWITCHES / protocol.check_session_id(session_id)


def _open_namespace(pid: int) -> int:
    """A descriptor of the process' network namespace, which must not be the host's: a pid is not an
    identity."""
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.path.samestat(os.fstat(descriptor), os.stat("/proc/self/ns/net")):
        os.close(descriptor)
        raise OSError(errno.ESRCH, "the machine's process has no network namespace of its own")
    return descriptor


def _plug(path: Path, interfaces: Sequence[Interface], machine: int) -> None:
    """Runs in a thread that ends with it: first in the switch's namespace, then in the machine's."""
    _enter_switch(path)
    with Netlink() as switch:
        for interface in interfaces:
            bridge = FIRST_BRIDGE + interface.network
            port = FIRST_PORT + interface.network * PORTS_PER_NETWORK + interface.port
            peer = Peer(machine, interface.name, _index(interface, interfaces), interface.mac)
            switch.add_bridge(f"br{interface.network}", bridge)
            switch.remove(port)  # of a former life of the machine, whose namespace is not yet gone
            switch.add_veth(f"port{interface.network}.{interface.port}", port, bridge, peer)
    mountapi.setns(machine, mountapi.CLONE_NEWNET)
    with Netlink() as inside:
        for interface in interfaces:
            inside.set_up(_index(interface, interfaces))
            inside.add_address(_index(interface, interfaces), interface.interface)


def _index(interface: Interface, interfaces: Sequence[Interface]) -> int:
    return FIRST_INTERFACE + interfaces.index(interface)


def _enter_switch(path: Path) -> None:
    if _join(path):
        return
    mountapi.unshare(mountapi.CLONE_NEWNET)
    for scope in ("all", "default"):  # or the bridges would answer to link-local addresses
        with contextlib.suppress(FileNotFoundError):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    mountapi.mount("/proc/thread-self/ns/net", path, "none", mountapi.MS_BIND)


def _join(path: Path) -> bool:
    """False if there is no switch yet, or only the file that its mount was meant for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        mountapi.setns(descriptor, mountapi.CLONE_NEWNET)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    finally:
        os.close(descriptor)
    return True
