"""What the site does about its hosts every two seconds; a Celery beat calls ``watch``.

Nothing here trusts that a message arrived. The bus is made to say what the database says (catalogue, users, wishes), the
hosts' heartbeats become rows, and what the hosts have is held against what they should have (``reconciling``).
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.utils import timezone

from labs import agent_client, notices
from labs.hosts import bus, publishing, reconciling, wishes
from labs.models import LabSession, WorkerHost
from runtime_agent import fleet

SAVE_LINE_SECONDS = 5.0
log = logging.getLogger(__name__)


def watch(now: datetime | None = None) -> None:
    """One look. While Redis is away nothing is known, so nobody is called silent for it."""
    now = now or timezone.now()
    try:
        with bus.connect() as connection:
            publishing.push(connection)
            if settings.WORKERS_AT:
                bus.bring_up_to_date(connection)
            living = agent_client.read_living(connection)
            silent = note(living, now)
            wishes.tell(connection)
            inventories = read_inventories(connection, living)
    except (redis.RedisError, OSError) as error:
        log.warning("hosts not looked at: %s", error)
        return
    _drain()
    reconciling.reconcile(inventories, silent, now)


def note(living: dict[str, dict[str, Any]], now: datetime) -> set[str]:
    """Keep a row for each host that was ever heard, and tell the pages of its sessions when it falls silent or is back;
    the silent ones. A Redis that was emptied a second ago makes nobody silent: a row remembers for a while."""
    rows = {host.name: host for host in WorkerHost.objects.all()}
    for name in living.keys() - rows.keys():
        rows[name] = WorkerHost.objects.create(name=name, seen_at=now, line=living[name], is_silent=False)
    for name, host in rows.items():
        was_silent, age = host.is_silent, _age_seconds(host, now)
        if name in living:
            host.is_silent = False
        elif age > settings.HOST_SILENT_SECONDS:
            host.is_silent = True
        if name in living and (was_silent or age > SAVE_LINE_SECONDS):
            WorkerHost.objects.filter(pk=host.pk).update(is_silent=False, seen_at=now, line=living[name])
        elif host.is_silent != was_silent:
            WorkerHost.objects.filter(pk=host.pk).update(is_silent=host.is_silent)
        if host.is_silent != was_silent:
            log.warning("host %s name=%s", "silent" if host.is_silent else "back", name)
            for session in LabSession.objects.filter(host=name, state__in=(*LabSession.ACTIVE, LabSession.State.ENDING)):
                notices.send_state(session)
    return {name for name, host in rows.items() if host.is_silent}


def _age_seconds(host: WorkerHost, now: datetime) -> float:
    return (now - host.seen_at).total_seconds() if host.seen_at else float("inf")


def read_inventories(connection: redis.Redis, living: dict[str, Any]) -> dict[str, reconciling.Inventory]:
    """What lives on each living host that has said so."""
    found = {}
    for name, value in connection.hgetall(fleet.INVENTORY_KEY).items():
        if (host := name.decode(errors="replace")) in living:
            try:
                found[host] = {session_id: (int(generation), str(state)) for session_id, (generation, state)
                               in json.loads(value)["sessions"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("bad inventory host=%s: %r", host, error)
    return found


def _drain() -> None:
    from labs import sessions
    for host in WorkerHost.objects.exclude(drain_at=None):
        late = LabSession.objects.filter(host=host.name, state=LabSession.State.READY, expires_at__gt=host.drain_at)
        for session_id in late.values_list("pk", flat=True):
            sessions.change_locked(session_id, (LabSession.State.READY,),
                                   lambda session, host=host: wishes.shorten(session, host), strict=False)
