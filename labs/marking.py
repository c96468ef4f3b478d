"""Whether an answer is right, and in which order lines to be put in order are shown."""

from __future__ import annotations

import hashlib
from typing import Any

Question = dict[str, Any]


def shuffled(question: Question) -> list[dict[str, Any]]:
    """The lines to be put in order, in an order that is the same at every look and never the right one."""
    right = question["options"]
    mixed = sorted(right, key=lambda option: hashlib.sha256(f"{question['id']}{option['id']}".encode()).digest())
    return mixed if mixed != right else [*mixed[1:], mixed[0]]


def is_right(question: Question, answer: Any) -> bool:
    """Whether ``answer`` (a text, a list of option ids, or places by option id) answers the question."""
    kind = question["kind"]
    if kind in ("single", "multiple"):
        right = {option["id"] for option in question["options"] if option["correct"]}
        return {answer} == right if isinstance(answer, str) else set(answer or []) == right
    if kind == "order":
        return isinstance(answer, dict) and [option["id"] for option in question["options"]] == sorted(
            answer, key=lambda option: str(answer[option]).zfill(4))
    if kind == "number":
        return _is_near(answer, question.get("answer"), question.get("tolerance") or 0)
    return str(answer or "").strip().casefold() == str(question.get("answer", "")).strip().casefold()


def _is_near(answer: Any, right: Any, tolerance: float) -> bool:
    try:
        return abs(float(str(answer).replace(",", ".")) - float(right)) <= float(tolerance)
    except (TypeError, ValueError):
        return False
