"""`./lab worker` and `./lab prepare`: one part of Bulkhead on a machine of its own, or in a container image.

A worker host runs the agent alone; it needs the site's Redis and a copy of the published labs.
"""

from __future__ import annotations

import asyncio
import os
import sys

from deploy.lab import ground, host, images, packages, programs, services, supervisor, table
from deploy.lab.places import SetupError, find, is_root

COMMON = [name for name in packages.SITE if name != "redis-server"]
PARTS = {"site": COMMON, "worker": [*COMMON, *packages.WORKER]}
"""Redis is a part of its own here."""


def prepare(part: str) -> int:
    """Install packages, environment and front end, without looking at the machine, secrets or images."""
    if not is_root():
        raise SetupError("packages and programs are installed by root: sudo ./lab prepare")
    places = find()
    packages.install(PARTS[part])
    ground.make_user()
    ground.make_folders(places)
    programs.prepare(places)
    return 0


def worker() -> int:
    """Run bridge, tunnel and control until SIGTERM; sandboxes stay."""
    if not is_root():
        raise SetupError("sandboxes need root: sudo ./lab worker")
    if not os.environ.get("BULKHEAD_REDIS_URL"):
        raise SetupError("BULKHEAD_REDIS_URL is not set: redis://:password@host:6379/0 or rediss://..., the site's Redis")
    places = find()
    if pid := supervisor.running_pid(places):
        raise SetupError(f"Bulkhead runs already here (pid {pid}): ./lab down stops it")
    rows = [row for row in host.look(places, 0, "127.0.0.1", PARTS["worker"]) if row.name != "Port"]
    table.show(rows)
    if any(row.state == "can't" for row in rows):
        raise SetupError("set-up has changed nothing: see the lines marked can't")
    prepare("worker")
    images.build(places, [images.BASE])
    return asyncio.run(_serve(places))


async def _serve(places) -> int:
    environment = {**services.shared_environment(places), "BULKHEAD_REDIS_URL": os.environ["BULKHEAD_REDIS_URL"]}
    watched = supervisor.Supervisor(places, services.agent(places, environment), sys.stdout)

    async def when_up(running: supervisor.Supervisor) -> None:
        running.say("lab", f"worker host {os.environ.get('BULKHEAD_HOST') or os.uname().nodename} is up")
        images.build_later(places)

    return await watched.run(when_up)
