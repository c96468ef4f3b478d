"""The limits that a lab lets its student move: as sliders on the page, and as numbers that were sent."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from labs.models import LabSession

FIELDS = {"memory": "memory_bytes", "cpus": "cpus", "pids": "pids"}
LEAST = {"memory": 16, "cpus": 0.05, "pids": 16}
STEP = {"memory": 1, "cpus": 0.05, "pids": 1}
MIB = 1 << 20


def limit_sliders(session: LabSession | None) -> list[dict[str, Any]]:
    """Memory counts MiB. Several machines share the sliders, so the smallest machine's bound holds for all."""
    if session is None:
        return []
    labels = {"memory": _("Memory"), "cpus": _("CPUs"), "pids": _("Processes")}
    return [{"name": name, "label": labels[name], "least": LEAST[name], "most": most_of(session, name), "step": STEP[name]}
            for name in allowed(session)]


def allowed(session: LabSession) -> list[str]:
    return [name for name in session.lab["limits"].get("student", []) if name in FIELDS]


def most_of(session: LabSession, name: str) -> float:
    given = min(machine[FIELDS[name]] for machine in session.lab["machines"].values())
    return given // MIB if name == "memory" else given


def wishes_from(form: Any, session: LabSession) -> dict[str, float]:
    """What the worker is asked for. ValueError if nothing that may be moved was sent, or no number."""
    wishes: dict[str, float] = {}
    for name in allowed(session):
        if name in form:
            value = float(form[name])
            if not LEAST[name] <= value <= most_of(session, name):
                raise ValueError(name)
            wishes[FIELDS[name]] = round(value, 2) if name == "cpus" else int(value) * (MIB if name == "memory" else 1)
    if not wishes:
        raise ValueError("nothing to move")
    return wishes
