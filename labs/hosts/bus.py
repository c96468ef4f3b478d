"""The Redis users of joined hosts: each may do what fleet.bus_rules says, with a password that only the host knows.

The database is the truth; a Redis that lost its users is given them again (``bring_up_to_date``).
"""

from __future__ import annotations

import redis
from django.conf import settings

from labs.models import WorkerHost
from runtime_agent import fleet


def connect() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)


def let_in(host: WorkerHost) -> None:
    with connect() as bus:
        _set_user(bus, host)
        _save(bus)


def shut_out(name: str) -> None:
    """Take the host's user away; Redis closes its connections at once. May be called twice."""
    with connect() as bus:
        bus.execute_command("ACL", "DELUSER", fleet.bus_user(name))
        _save(bus)


def bring_up_to_date(bus: redis.Redis) -> None:
    """Make the users of joined hosts, and no others, exist."""
    found = {name.decode() if isinstance(name, bytes) else name for name in bus.execute_command("ACL", "USERS")}
    wanted = {fleet.bus_user(host.name): host for host in WorkerHost.objects.exclude(password_sha256="")}
    for name in wanted.keys() - found:
        _set_user(bus, wanted[name])
    strangers = {name for name in found if name.startswith(fleet.bus_user(""))} - wanted.keys()
    if strangers:
        bus.execute_command("ACL", "DELUSER", *strangers)
    if strangers or wanted.keys() - found:
        _save(bus)


def _set_user(bus: redis.Redis, host: WorkerHost) -> None:
    bus.execute_command("ACL", "SETUSER", fleet.bus_user(host.name), "reset", "on", f"#{host.password_sha256}",
                        *fleet.bus_rules(host.name))


def _save(bus: redis.Redis) -> None:
    """A Redis without a file for its users is told again after each of its starts."""
    try:
        bus.execute_command("ACL", "SAVE")
    except redis.ResponseError:
        return
