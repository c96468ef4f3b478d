"""The part of a lesson that is the same for everybody.

What is remembered here is found by the very text it was made from, so no publish has to tell any process: another text
is another entry. Nothing in it may depend on who asks; it is shared, and nobody may change it.
"""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.template.loader import render_to_string

from labs import reading

STILL = frozenset({"html", "aside", "code", "figure", "solution", "transcript"})
"""The kinds of blocks that look the same to everybody."""
MOST_TEXTS = 256
"""Some 50 KB each; a course has a document and a lab for each of its 30 to 60 lessons."""


class Block(dict[str, Any]):
    """A block that differs from reader to reader. It is shared and never changed, so what it looks like may be found by it."""

    __hash__, __eq__ = object.__hash__, object.__eq__


def as_text(lessons: QuerySet) -> QuerySet:
    """The same lessons with ``document_text`` and ``lab_text``, without what these say."""
    return (lessons.defer("document", "lab", "claims", "objectives")
            .annotate(document_text=Cast("document", TextField()), lab_text=Cast("lab", TextField())))


@functools.lru_cache(MOST_TEXTS)
def sections(text: str) -> list[dict[str, str]]:
    """The sections that a lesson's document has (``reading.sections``)."""
    return reading.sections(json.loads(text))


@functools.lru_cache(MOST_TEXTS)
def decoded(text: str) -> Any:
    """What a lesson's lab says."""
    return json.loads(text)


@functools.lru_cache(MOST_TEXTS)
def rendered(text: str, language: str) -> dict[str, Any]:
    """A lesson's document as its page shows it in a language: blocks beside each other that look the same to everybody are
    one block of finished HTML, and so are the cards of its terms (``cards_html``)."""
    document = json.loads(text)
    steps = [{**step, "blocks": _joined(step["blocks"])} for step in document.get("steps", [])]
    return {**document, "steps": steps, "cards_html": render_to_string("labs/_term_cards.html", {"document": document})}


def _joined(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for is_still, run in itertools.groupby(blocks, lambda block: block["kind"] in STILL):
        if is_still:
            found.append({"kind": "html", "html": "".join(_html(block) for block in run)})
        else:
            found += [_prepared(block) for block in run]
    return found


def _html(block: dict[str, Any]) -> str:
    """The template gets a block and nothing else: no request and no user whose data could be kept with it."""
    return render_to_string(_template(block), {"block": block})


def _prepared(block: dict[str, Any]) -> Block:
    """A block that the page renders, because it differs from reader to reader."""
    inner = {"blocks": _joined(block["blocks"])} if block["kind"] == "when" else {}
    return Block({**block, **inner, "template": _template(block)})


def _template(block: dict[str, Any]) -> str:
    return f"labs/blocks/{block['kind']}.html"
