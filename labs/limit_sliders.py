"""The limits that a lab lets its student move: as sliders on the page, and as numbers that were sent."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

FIELDS = {"memory": "memory_bytes", "cpus": "cpus", "pids": "pids"}
LEAST = {"memory": 16, "cpus": 0.05, "pids": 16}
STEP = {"memory": 1, "cpus": 0.05, "pids": 1}
MIB = 1 << 20
Lab = dict[str, Any]


def limit_sliders(lab: Lab | None) -> list[dict[str, Any]]:
    """Memory counts MiB. Several machines share the sliders, so the smallest machine's bound holds for all."""
    if not lab:
        return []
    labels = {"memory": _("Memory"), "cpus": _("CPUs"), "pids": _("Processes")}
    return [{"name": name, "label": labels[name], "least": LEAST[name], "most": most_of(lab, name), "step": STEP[name]}
            for name in allowed(lab)]


def allowed(lab: Lab) -> list[str]:
    return [name for name in lab["limits"].get("student", []) if name in FIELDS]


def most_of(lab: Lab, name: str) -> float:
    given = min(machine[FIELDS[name]] for machine in lab["machines"].values())
    return given // MIB if name == "memory" else given


def wishes_from(form: Any, lab: Lab) -> dict[str, float]:
    """What the worker is asked for. ValueError if nothing that may be moved was sent, or no number."""
    wishes: dict[str, float] = {}
    for name in allowed(lab):
        if name in form:
            value = float(form[name])
            if not LEAST[name] <= value <= most_of(lab, name):
                raise ValueError(name)
            wishes[FIELDS[name]] = round(value, 2) if name == "cpus" else int(value) * (MIB if name == "memory" else 1)
    if not wishes:
        raise ValueError("nothing to move")
    return wishes
