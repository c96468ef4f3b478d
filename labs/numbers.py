"""A student's own measurements beside those of everybody: what the course claims, as it came out here."""

from __future__ import annotations

from statistics import median
from typing import Any

from labs.models import Lesson, Measurement

MIN_CLASS = 5
"""With fewer people a figure of the class would tell about single ones."""


def of(user: Any) -> list[dict[str, Any]]:
    """Lessons that measure something: [{"lesson", "rows": [{"id", "label", "unit", "value", "class"}]}].

    ``value`` is None until the student has measured; ``class`` is None or {"count", "low", "median", "high"}.
    """
    values: dict[tuple[int, str], list[float]] = {}
    own: dict[tuple[int, str], float] = {}
    for row in Measurement.objects.only("lesson_id", "block", "value", "user_id"):
        values.setdefault((row.lesson_id, row.block), []).append(row.value)
        if row.user_id == user.pk:
            own[(row.lesson_id, row.block)] = row.value
    found = []
    for lesson in Lesson.objects.select_related("module__course"):
        rows = [{"id": block["id"], "label": block["label"], "unit": block["unit"],
                 "value": own.get((lesson.pk, block["id"])), "class": of_class(values.get((lesson.pk, block["id"]), []))}
                for block in measures(lesson.document)]
        if rows:
            found.append({"lesson": lesson, "rows": rows})
    return found


def measures(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks that ask for a number, in the order of the page."""
    found, waiting = [], [block for step in document.get("steps", []) for block in step["blocks"]]
    while waiting:
        block = waiting.pop(0)
        if block["kind"] == "measure":
            found.append(block)
        elif block["kind"] == "when":
            waiting = [*block["blocks"], *waiting]
    return found


def of_class(values: list[float]) -> dict[str, float] | None:
    if len(values) < MIN_CLASS:
        return None
    return {"count": len(values), "low": min(values), "median": median(values), "high": max(values)}


STRIP = (10, 290)
"""Where the lowest and the highest number stand on the strip, in the drawing's own units."""


def beside(own: float, values: list[float]) -> dict[str, float] | None:
    """The class's figures with the places of one's own number and of the middle on a strip; None for a small class."""
    found = of_class(values)
    if found is None:
        return None
    left, right = STRIP
    span = found["high"] - found["low"]

    def place(value: float) -> int:
        share = (value - found["low"]) / span if span else 0.5
        return round(left + (right - left) * min(max(share, 0.0), 1.0))
    return {**found, "own_at": place(own), "median_at": place(found["median"])}
