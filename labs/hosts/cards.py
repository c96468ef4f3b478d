"""What the operator's page shows of each host: its row, its last heartbeat, and the sessions on it. Only reads."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.utils import timezone

from labs import agent_client
from labs.models import LabSession, WorkerHost
from runtime_agent import fleet

State = LabSession.State
FAULT_HOURS = 24
MAX_FAULTS = 5


def of_all() -> list[dict[str, Any]]:
    """A card for each host that has a row or a heartbeat, by name."""
    living = agent_client.living_hosts()
    rows = {row.name: row for row in WorkerHost.objects.all()}
    return [_card(name, rows.get(name) or WorkerHost(name=name), living.get(name)) for name in sorted({*rows, *living})]


def _card(name: str, row: WorkerHost, line: dict[str, Any] | None) -> dict[str, Any]:
    told = line or row.line or {}
    counted = Counter(LabSession.objects.filter(host=name, state__in=(State.STARTING, State.READY, State.ENDING))
                      .values_list("state", flat=True))
    memory = told.get("memory") or {}
    return {**told, "name": name, "row": row, "is_living": line is not None, "is_known": row.pk is not None,
            "heard": timezone.now() if line else row.seen_at, "images": told.get("images", []), "counted": dict(counted),
            "is_obeyed": told.get("wish", -1) >= row.generation or not row.generation,
            "memory_used": memory.get("total", 0) - memory.get("available", 0), "memory": memory,
            "is_old": bool(line) and told.get("version", 0) != fleet.VERSION, "faults": _faults(name, told)}


def _faults(name: str, told: dict[str, Any]) -> list[str]:
    """What went wrong there in the last day, the newest first, and what stands in its way now."""
    found = []
    if refused := (told.get("catalog") or {}).get("refused"):
        found.append(f"catalogue refused: {refused}")
    found += [f"image {image['name']}: {image['message']}" for image in told.get("image_states", [])
              if image.get("state") == "failed"]
    since = timezone.now() - timedelta(hours=FAULT_HOURS)
    failed = (LabSession.objects.filter(host=name, state=State.FAILED, ended_at__gt=since).order_by("-ended_at")
              .values_list("ended_at", "reason", "detail"))
    found += [f"{ended_at:%H:%M} {reason}: {detail}".removesuffix(": ") for ended_at, reason, detail in failed[:MAX_FAULTS]]
    return found
