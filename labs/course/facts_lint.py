"""Reading expressions over facts without a sandbox: what they name must be in the vocabulary, and types must fit.

An expression that can never hold is worse than one that is refused: it grades everybody "not yet" in silence. So every
field is looked up in ``runtime_agent.facts``, a comparison of a number with a text is an error, and so is a list that
is used as if it were one of its entries.
"""

from __future__ import annotations

from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser

from labs.course.findings import nearest
from runtime_agent import facts
from runtime_agent.facts import Field

SCHEMA = facts.schema()
ANYTHING = None
Type = Field | None
"""None stands for a value about which nothing is known."""
RETURNS = {"length": "number", "contains": "bool", "starts_with": "bool", "ends_with": "bool", "join": "text", "type": "text",
           "abs": "number", "sum": "number", "max": "number", "min": "number", "to_number": "number"}


class FactsError(ValueError):
    """A sentence for the author."""


def check_question(expression: str, *texts: str) -> None:
    """An expression, and the texts whose placeholders ask of what it finds. Raises FactsError."""
    found = check_expression(expression, SCHEMA) if expression else Field("", "object")
    for text in texts:
        for match in facts.PLACEHOLDER.finditer(text):
            shown = check_expression(match[1], found)
            if match[2] and shown is not ANYTHING and shown.kind != "number":
                raise FactsError(f"{{{match[1]}}} is no number, so it has no size in {match[2]}")


def check_expression(expression: str, of: Type) -> Type:
    """The type of an expression that is asked of ``of``. Raises FactsError."""
    if len(expression) > facts.MAX_EXPRESSION_CHARS:
        raise FactsError(f"the expression has more than {facts.MAX_EXPRESSION_CHARS} characters")
    plain = facts.with_variables(expression, _literal_of_variable)
    try:
        tree = Parser().parse(plain).parsed
    except (JMESPathError, ValueError, RecursionError) as error:
        raise FactsError(f"this is no JMESPath: {' '.join(str(error).split())[:200]}") from None
    return _Reader().type_of(tree, of)


def _literal_of_variable(path: str) -> str:
    """A literal of the variable's type stands for it while the expression is read."""
    found: Type = SCHEMA
    for name in path.split("."):
        found = _field(found, name)
    return {"text": '""', "number": "0", "bool": "true"}.get(found.kind if found else "", "null")


def _field(of: Type, name: str) -> Type:
    if of is ANYTHING:
        return ANYTHING
    if of.kind == "list":
        raise FactsError(f"{of.path or 'this'} is a list: write {of.path.removesuffix('[]')}[].{name} or [0].{name}")
    if of.kind != "object":
        raise FactsError(f"{of.path or 'this'} is a {of.kind} and has no {name!r}")
    if name not in of.fields:
        raise FactsError(f"there is no {name!r} in {of.path or 'the facts'}.{nearest(name, of.fields)}")
    return of.fields[name]


def _list_of(item: Type, path: str = "") -> Type:
    return Field(path, "list", item=item)


class _Reader:
    """One method per kind of node that jmespath.ast makes."""

    def type_of(self, node: dict[str, Any], of: Type) -> Type:
        return getattr(self, f"_{node['type']}")(node, of)

    def _field(self, node: dict[str, Any], of: Type) -> Type:
        return _field(of, node["value"])

    def _subexpression(self, node: dict[str, Any], of: Type) -> Type:
        for child in node["children"]:
            of = self.type_of(child, of)
        return of

    _index_expression = _pipe = _subexpression

    def _current(self, node: dict[str, Any], of: Type) -> Type:
        return of

    _identity = _current

    def _index(self, node: dict[str, Any], of: Type) -> Type:
        return self._item(of)

    def _slice(self, node: dict[str, Any], of: Type) -> Type:
        self._item(of)
        return of

    def _item(self, of: Type) -> Type:
        if of is ANYTHING:
            return ANYTHING
        if of.kind != "list":
            advice = ". ! binds more tightly than [: write !(list[?...])" if of.kind == "bool" else ""
            raise FactsError(f"{of.path or 'this'} is no list{advice}")
        return of.item

    def _projection(self, node: dict[str, Any], of: Type) -> Type:
        left, right = node["children"]
        return _list_of(self.type_of(right, self._item(self.type_of(left, of))))

    def _filter_projection(self, node: dict[str, Any], of: Type) -> Type:
        left, right, condition = node["children"]
        item = self._item(self.type_of(left, of))
        self.type_of(condition, item)
        return _list_of(self.type_of(right, item))

    def _value_projection(self, node: dict[str, Any], of: Type) -> Type:
        left, right = node["children"]
        self.type_of(left, of)
        return _list_of(self.type_of(right, ANYTHING))

    def _flatten(self, node: dict[str, Any], of: Type) -> Type:
        found = self.type_of(node["children"][0], of)
        item = self._item(found)
        return item if item is not ANYTHING and item.kind == "list" else found

    def _comparator(self, node: dict[str, Any], of: Type) -> Type:
        left, right = (self.type_of(child, of) for child in node["children"])
        kinds = {side.kind for side in (left, right) if side is not ANYTHING}
        if len(kinds) == 2:
            raise FactsError(f"a {min(kinds)} is never equal to a {max(kinds)}: numbers stand between backticks, texts "
                             "between single quotes")
        if node["value"] not in ("eq", "ne") and kinds and kinds != {"number"}:
            raise FactsError(f"only numbers can be compared with <, >, <= and >=, and this is a {min(kinds)}")
        return Field("", "bool")

    def _and_expression(self, node: dict[str, Any], of: Type) -> Type:
        found = [self.type_of(child, of) for child in node["children"]]
        return found[-1]

    def _or_expression(self, node: dict[str, Any], of: Type) -> Type:
        left, right = (self.type_of(child, of) for child in node["children"])
        return left if left is not ANYTHING and right is not ANYTHING and left.kind == right.kind else ANYTHING

    def _not_expression(self, node: dict[str, Any], of: Type) -> Type:
        self.type_of(node["children"][0], of)
        return Field("", "bool")

    def _literal(self, node: dict[str, Any], of: Type) -> Type:
        value = node["value"]
        if isinstance(value, bool):
            return Field("", "bool")
        kind = "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else None
        return Field("", kind) if kind else ANYTHING

    def _multi_select_list(self, node: dict[str, Any], of: Type) -> Type:
        found = [self.type_of(child, of) for child in node["children"]]
        same = all(one is not ANYTHING and found[0] is not ANYTHING and one.kind == found[0].kind for one in found)
        return _list_of(found[0] if same else ANYTHING)

    def _multi_select_dict(self, node: dict[str, Any], of: Type) -> Type:
        return Field("", "object", fields={pair["value"]: self.type_of(pair["children"][0], of) for pair in node["children"]})

    def _function_expression(self, node: dict[str, Any], of: Type) -> Type:
        name, children = node["value"], node["children"]
        if name not in facts.FUNCTIONS:
            raise FactsError(f"the function {name}() may not be used here.{nearest(name, facts.FUNCTIONS)}")
        plain = [self.type_of(child, of) for child in children if child["type"] != "expref"]
        source = plain[0] if plain else ANYTHING
        for child in children:
            if child["type"] == "expref":
                mapped = self.type_of(child["children"][0], self._item(source))
                if name == "map":
                    return _list_of(mapped)
        if name in ("max_by", "min_by"):
            return self._item(source)
        if name in ("sort", "sort_by", "reverse"):
            return source
        return Field("", RETURNS[name]) if name in RETURNS else ANYTHING
