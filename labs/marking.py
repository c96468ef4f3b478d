"""Whether an answer is right."""

from __future__ import annotations

from typing import Any

Question = dict[str, Any]


def is_right(question: Question, answer: Any) -> bool:
    """Whether ``answer`` (a text, a list of option ids, or places by option id) answers the question."""
    kind = question["kind"]
    if kind in ("single", "multiple"):
        right = {option["id"] for option in question["options"] if option["correct"]}
        return {answer} == right if isinstance(answer, str) else set(answer or []) == right
    if kind == "order":
        right = {option["id"]: str(place) for place, option in enumerate(question["options"], 1)}
        return isinstance(answer, dict) and right == {
            option: str(place).strip().lstrip("0") for option, place in answer.items()}
    if kind == "number":
        return _is_near(answer, question.get("answer"), question.get("tolerance") or 0)
    return str(answer or "").strip().casefold() == str(question.get("answer", "")).strip().casefold()


def _is_near(answer: Any, right: Any, tolerance: float) -> bool:
    try:
        return abs(float(str(answer).replace(",", ".")) - float(right)) <= float(tolerance)
    except (TypeError, ValueError):
        return False
