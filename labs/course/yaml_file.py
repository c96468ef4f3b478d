"""YAML whose every value knows its line, so that an error can name it.

Values become plain Python: dict, list, str, int, float, bool, None. ``Node`` keeps the line beside them and answers
typed questions; each wrong answer is a finding and the default is used, so one reading finds everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import yaml

from labs.course.findings import Findings, nearest

MAX_BYTES = 256 * 1024


class Node:
    """A value of a YAML file. ``first_line`` is added to the lines (front matter begins at the file's line 2)."""

    def __init__(self, node: yaml.Node | None, findings: Findings, first_line: int = 0):
        self.node, self.findings, self.first_line = node, findings, first_line

    @classmethod
    def parse(cls, text: str, findings: Findings, first_line: int = 0) -> Node:
        """Read a document; what is no YAML becomes one finding and an empty mapping."""
        if len(text) > MAX_BYTES:
            findings.add(1, "too-large", f"the file is larger than {MAX_BYTES // 1024} KiB")
            return cls(None, findings, first_line)
        try:
            return cls(yaml.compose(text, Loader=yaml.SafeLoader), findings, first_line)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 + first_line if mark else 1
            findings.add(line, "yaml", f"this is no YAML: {getattr(error, 'problem', None) or error}")
            return cls(None, findings, first_line)

    @property
    def line(self) -> int:
        return (self.node.start_mark.line + 1 if self.node else 1) + self.first_line

    def complain(self, rule: str, message: str) -> None:
        self.findings.add(self.line, rule, message)

    def value(self) -> Any:
        if not isinstance(self.node, yaml.ScalarNode):
            return None
        try:
            return yaml.safe_load(yaml.serialize(self.node))
        except (yaml.YAMLError, ValueError):
            return self.node.value

    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def keys(self) -> list[str]:
        return [str(key.value) for key, _ in self.node.value] if self.is_mapping() else []

    def items(self) -> Iterator[tuple[str, Node]]:
        if self.is_mapping():
            for key, value in self.node.value:
                yield str(key.value), Node(value, self.findings, self.first_line)

    def entries(self) -> list[Node]:
        if isinstance(self.node, yaml.SequenceNode):
            return [Node(value, self.findings, self.first_line) for value in self.node.value]
        return []

    def get(self, key: str) -> Node | None:
        return dict(self.items()).get(key)

    def only(self, known: Collection[str]) -> None:
        """Every key but these is a finding."""
        for key, value in self.items():
            if key not in known:
                value.complain("unknown-key", f"there is no {key!r} here.{nearest(key, known)}")

    def text(self, key: str, default: str | None = None, *, most: int = 2000) -> str:
        found = self.get(key)
        if found is None:
            if default is None:
                self.complain("missing", f"{key!r} is missing")
            return default or ""
        value = found.value()
        if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
            found.complain("form", f"{key!r} must be a text")
            return default or ""
        if len(str(value)) > most:
            found.complain("form", f"{key!r} has more than {most} characters")
        return str(value)

    def one_of(self, key: str, known: Collection[str], default: str) -> str:
        value = self.text(key, default)
        if value not in known:
            (self.get(key) or self).complain("form", f"{key!r} is {value!r}: it must be one of {', '.join(sorted(known))}")
            return default
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        found = self.get(key)
        if found is None:
            return default
        value = found.value()
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            found.complain("form", f"{key!r} must be a number from {low:g} to {high:g}")
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        found = self.get(key)
        if found is None:
            return default
        value = found.value()
        if not isinstance(value, bool):
            found.complain("form", f"{key!r} must be true or false")
            return default
        return value

    def texts(self, key: str) -> list[str]:
        found = self.get(key)
        if found is None:
            return []
        values = [entry.value() for entry in found.entries()]
        if not isinstance(found.node, yaml.SequenceNode) or not all(isinstance(value, str) for value in values):
            found.complain("form", f"{key!r} must be a list of texts")
            return []
        return values
