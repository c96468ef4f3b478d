"""Will it do for the class? A plain answer, from what has been measured on this site and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labs import agent_client
from labs.models import LabSession
from labs.sight import synthetic

State = LabSession.State
MEASURED = 200
"""How many of the latest sessions the figures are of."""
MIN_MEASURED = 5
STARTS_AT_ONCE = 4
"""How many creates one host works at the same time (runtime_agent.control.WORKER_THREADS)."""


def answer(seats: int, at: datetime) -> dict[str, Any]:
    """What a class of ``seats`` would find at that time: places, the longest start, and the verdict as sentences.

    A sandbox that runs now is counted for as long as its planned end is later than ``at``; nobody knows who else will come.
    """
    hosts = agent_client.living_hosts()
    places = sum(host.get("capacity", 0) for host in hosts.values())
    taken = LabSession.objects.filter(state__in=LabSession.ACTIVE).exclude(expires_at__lte=at).count()
    free = max(places - taken, 0)
    starts = latest(F("ready_at") - F("queued_at"), ready_at__isnull=False)
    rush = min(seats, free)
    wait = percentile(starts, 0.5) * -(-rush // (STARTS_AT_ONCE * len(hosts))) if starts and hosts else None
    return {"seats": seats, "at": at, "hosts": len(hosts), "places": places, "taken": taken, "free": free,
            "fits": seats <= free, "measured": len(starts), "wait_seconds": wait,
            "start_seconds": percentile(starts, 0.5) if starts else None,
            "slow_start_seconds": percentile(starts, 0.95) if starts else None,
            "sentences": sentences(seats, hosts, places, taken, wait)}


def sentences(seats: int, hosts: dict[str, Any], places: int, taken: int, wait: float | None) -> list[str]:
    if not hosts:
        return [_("No: no worker host is running.")]
    free, said = max(places - taken, 0), []
    if seats <= free:
        said.append(_("Yes: %(free)d of %(places)d places will be free.") % {"free": free, "places": places})
    else:
        said.append(ngettext(
            "No: %(free)d of %(places)d places will be free, %(missing)d student would wait in the queue.",
            "No: %(free)d of %(places)d places will be free, %(missing)d students would wait in the queue.",
            seats - free) % {"free": free, "places": places, "missing": seats - free})
        said.append(_("Raise BULKHEAD_CAPACITY if the hosts have memory for it, or add a worker host."))
    if wait is None:
        said.append(_("How long the start takes is not known yet: nobody has started enough sandboxes here."))
    elif free:
        said.append(_("If all who get a place click at once, the last sandbox is ready after about %(seconds).1f s.")
                    % {"seconds": wait})
    return said


def cost() -> dict[str, Any] | None:
    """What one session takes of the hosts, by the latest ones: minutes, share of a host's hours, money if a price is set."""
    lasted = latest(F("ended_at") - F("ready_at"), ~Q(user__username=synthetic.USERNAME), ready_at__isnull=False,
                    ended_at__gt=F("ready_at"))
    hosts = agent_client.living_hosts()
    places = sum(host.get("capacity", 0) for host in hosts.values()) / len(hosts) if hosts else 0
    if not lasted or not places:
        return None
    minutes = sum(lasted) / len(lasted) / 60
    return {"measured": len(lasted), "minutes": minutes, "places": round(places), "host_hours": minutes / 60 / places,
            "price": minutes / 60 / places * settings.HOST_HOUR_PRICE if settings.HOST_HOUR_PRICE else None}


def latest(length: Any, *rules: Q, **conditions: Any) -> list[float]:
    """Seconds, of the latest sessions that meet the conditions; nothing if they are too few to tell."""
    found = (LabSession.objects.filter(*rules, **conditions).order_by("-queued_at").annotate(length=length)
             .values_list("length", flat=True)[:MEASURED])
    seconds = [one.total_seconds() for one in found if one is not None and one >= timedelta(0)]
    return seconds if len(seconds) >= MIN_MEASURED else []


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def next_time(text: str, now: datetime | None = None) -> datetime:
    """The next moment at which a clock here shows ``text`` (``9:00``). Raises ValueError for what is no time."""
    hours, _colon, minutes = text.partition(":")
    now = timezone.localtime(now)
    found = now.replace(hour=int(hours), minute=int(minutes or 0), second=0, microsecond=0)
    return found if found > now else found + timedelta(days=1)
