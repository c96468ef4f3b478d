"""A pool and what it leaves on a host, and processes that are killed at the wrong moment."""

from __future__ import annotations

import os
import signal

from runtime_agent import conmon, pool, rootfs, sandbox, slots
from runtime_agent.capacity import Capacity


def a_pool(host, limit=8):
    return pool.Pool(host, Capacity(limit, lambda: [(box.session_id, box.machine) for box in sandbox.living(host)]))


def settle(filled):
    while filled.step():
        pass


def all_that_is_there(host):
    """Everything on this host that a sandbox of ours could have left."""
    folders = (host.spares_dir, host.sandboxes_dir, host.disks_dir, conmon.run_dir(host) / "runtime",
               conmon.run_dir(host) / "conmon")
    return sorted([str(path) for folder in folders if folder.exists() for path in folder.iterdir()]
                  + list(slots.leased(host).values()) + [str(path) for path in rootfs.VIEW.glob("*-*-*-*-*")])


def in_a_process_that_is_killed(step):
    """Run ``step``, which must end in its process being killed."""
    child = os.fork()
    if child == 0:
        try:
            step()
        finally:
            os._exit(3)  # it was not killed
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
