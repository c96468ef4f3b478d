"""Checks on facts: a JMESPath expression that passes a task, and ordered hints for when it does not.

Truth is JMESPath's: null, false and an empty text, list or object are false, everything else is true, 0 too. The
author's expression is bounded in length, in the functions it may use and in the steps it may take, so that no lesson
can hold a worker. This module asks; it never collects facts.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

from runtime_agent import facts, protocol

MAX_STEPS = 200_000
MAX_SECONDS = 1.0
Facts = dict[str, Any]


class QuestionError(ValueError):
    """The expression can't be asked: its form, its bounds, or types that don't fit."""


@dataclass(frozen=True)
class Hint:
    """``text`` is the reason if ``expression`` holds; without one it always does."""

    text: str
    expression: str = ""


@dataclass(frozen=True)
class Question:
    """``saw`` says what was seen when it passed. ``timeout`` is a bound on one answer, as a script has."""

    expression: str
    saw: str = ""
    hints: tuple[Hint, ...] = ()
    timeout: float = MAX_SECONDS

    def parts(self) -> frozenset[str]:
        """Which parts of the facts must be collected to answer; rather one too many."""
        text = " ".join([self.expression, self.saw, *(f"{hint.expression} {hint.text}" for hint in self.hints)])
        return frozenset(part for part in facts.schema().fields if part in text) | {"processes"}


def read(entry: dict[str, Any], hints: list[dict[str, Any]] | None) -> Question:
    """From lab.json: {"facts", "saw"} and the task's hints. ValueError, TypeError or KeyError for another form."""
    found = [Hint(_text(hint["text"], protocol.MAX_TEXT_CHARS), _text(hint.get("facts") or "")) for hint in hints or []]
    if len(found) > facts.MAX_HINTS:
        raise ValueError(f"{len(found)} hints, {facts.MAX_HINTS} are allowed")
    question = Question(_text(entry["facts"]), _text(entry.get("saw") or "", protocol.MAX_TEXT_CHARS), tuple(found))
    for expression in (question.expression, *(hint.expression for hint in found if hint.expression)):
        parse(facts.with_variables(expression, lambda path: "null"))
    return question


def _text(value: object, most: int = facts.MAX_EXPRESSION_CHARS) -> str:
    if isinstance(value, str) and len(value) <= most:
        return value
    raise ValueError(f"{value!r} is no text of at most {most} characters")


@functools.lru_cache(maxsize=512)
def parse(expression: str) -> dict[str, Any]:
    """The syntax tree. Raises QuestionError with a sentence for the author."""
    if len(expression) > 4 * facts.MAX_EXPRESSION_CHARS:
        raise QuestionError("the expression is too long")
    try:
        tree = Parser().parse(expression).parsed
    except (JMESPathError, ValueError, RecursionError) as error:
        raise QuestionError(" ".join(str(error).split())[:300]) from None
    if unknown := _functions(tree) - facts.FUNCTIONS:
        raise QuestionError(f"the function {min(unknown)}() may not be used here")
    return tree


def _functions(node: Any) -> set[str]:
    if not isinstance(node, dict):
        return set()
    own = {node["value"]} if node.get("type") == "function_expression" else set()
    return own.union(*(_functions(child) for child in node.get("children", [])))


def answer(question: Question, known: Facts) -> tuple[bool, str]:
    """(passed, what was seen or why not yet)."""
    found = ask(question.expression, known)
    if is_true(found):
        return True, fill(question.saw, found, known)
    for hint in question.hints:
        found = ask(hint.expression, known) if hint.expression else {}
        if is_true(found) or not hint.expression:
            return False, fill(hint.text, found, known)
    return False, ""


def ask(expression: str, known: Facts, of: Any = None) -> Any:
    """The value of an expression, of the facts or of ``of``. Raises QuestionError."""
    tree = parse(facts.with_variables(expression, lambda path: json.dumps(_value_at(known, path))))
    try:
        return _Bounded().visit(tree, known if of is None else of)
    except JMESPathError as error:
        raise QuestionError(" ".join(str(error).split())[:300]) from None


def is_true(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})


def fill(text: str, found: Any, known: Facts) -> str:
    """Put the values of what was found into the text; one line, as a script's last one."""
    def give(match: Any) -> str:
        value = ask(match[1], known, found)
        if match[2] and isinstance(value, int | float):
            return f"{value / facts.UNITS[match[2]]:.0f} {match[2]}"
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return facts.PLACEHOLDER.sub(give, text)[:protocol.MAX_TEXT_CHARS]


def _value_at(known: Facts, path: str) -> Any:
    value: Any = known
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


class _Bounded(TreeInterpreter):
    """Counts what it does; QuestionError when that is too much."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.deadline = 0, time.monotonic() + MAX_SECONDS

    def visit(self, node: Any, *arguments: Any, **options: Any) -> Any:
        self.steps += 1
        if self.steps > MAX_STEPS or (self.steps % 1024 == 0 and time.monotonic() > self.deadline):
            raise QuestionError("the expression takes too long on these facts")
        return super().visit(node, *arguments, **options)
