"""How a task is checked: by a script of the lesson, or by a question to the kernel's facts with its hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.course.facts_lint import FactsError, check_question
from labs.course.yaml_file import Node
from runtime_agent import facts

Check = dict[str, Any]


def check_of(task: Node, key: str, is_file: Callable[[Node, str], bool]) -> Check:
    """The task's ``check`` or ``fail`` as lab.json has it; ``is_file`` complains about a script that is not there."""
    node = task.get(key)
    if node is None or not node.is_mapping():
        (node or task).complain("missing", f"{key!r} must say what to look at: {{run: checks/name.sh}} or {{facts: \"...\"}}")
        return {}
    return _question(node) if node.get("facts") else _script(node, is_file)


def _script(node: Node, is_file: Callable[[Node, str], bool]) -> Check:
    node.only(("run", "user", "timeout"))
    path = node.text("run")
    if path and not path.startswith("checks/"):
        node.complain("form", f"{path!r}: check scripts lie in checks/")
    elif path:
        is_file(node.get("run"), path)
    return {"run": path, "user": node.one_of("user", ("root", "student"), "root"),
            "timeout": node.number("timeout", 5, 0.1, 60)}


def _question(node: Node) -> Check:
    node.only(("facts", "saw"))
    expression, saw = node.text("facts"), node.text("saw", "passed")
    _judge(node.get("facts"), expression)
    _judge(node.get("saw"), expression, saw)
    return {"facts": expression, "saw": saw}


def hints_of(task: Node) -> list[Check] | None:
    """The task's ``hint``: one, or a list in order; only questions need them, a script says itself why not."""
    node = task.get("hint")
    if node is None:
        return None
    check = task.get("check")
    if check is None or not check.get("facts"):
        node.complain("form", "'hint' belongs to a check on facts; a script prints its reason")
    entries = [node] if node.is_mapping() else node.entries()
    if not entries or len(entries) > facts.MAX_HINTS:
        node.complain("form", f"'hint' is one {{facts: ..., text: ...}} or a list of at most {facts.MAX_HINTS}")
        return None
    return [_hint(entry, is_last=entry is entries[-1]) for entry in entries]


def _hint(node: Node, is_last: bool) -> Check:
    if not node.is_mapping():
        node.complain("form", "a hint is {facts: \"...\", text: \"...\"}")
        return {"facts": "", "text": ""}
    node.only(("facts", "text"))
    expression, text = node.text("facts", ""), node.text("text")
    if not expression and not is_last:
        node.complain("order", "a hint without 'facts' always holds: the ones behind it are never shown")
    _judge(node.get("facts"), expression)
    _judge(node.get("text"), expression, text)
    return {"facts": expression, "text": text}


def _judge(node: Node | None, expression: str, *texts: str) -> None:
    """A fault of the expression is told at the expression only."""
    if node is None:
        return
    try:
        check_question(expression)
    except FactsError as error:
        if not texts:
            node.complain("facts", str(error))
        return
    try:
        check_question(expression, *texts)
    except FactsError as error:
        node.complain("facts", str(error))
