"""The words that a lesson defines, and where other lessons use them.

Before its first step a lesson defines its words, each in a paragraph of its own that begins with the word in bold:

    **Process.** A running program, with its memory.
    **Virtual machine**, VM for short. A computer made by software.

Pure functions over text; the glossary and the cards in lessons are made of what they return.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from labs.course import html

PLAIN = re.compile(r"\*\*(?P<term>[^*]{2,60})\.\*\*\s+(?P<text>\S.*)", re.DOTALL)
WITH_OTHERS = re.compile(r"\*\*(?P<term>[^*]{2,60})\*\*, (?P<others>[^.]{1,60})\.\s+(?P<text>\S.*)", re.DOTALL)
OTHER = re.compile(r"\*\*([^*]+)\*\*|\b([A-Z]{2,}|\w+(?= for short))")
SHORTEST_LINKED = 6
"""A single short word ("root", "map", "task") means too many things to be linked wherever it stands."""
TAG = re.compile(r"(<[^>]+>)")
CLOSED_TO_LINKS = {"a", "code", "pre", "h2", "h3", "h4", "h5", "th", "strong", "em", "svg"}


@dataclass(frozen=True)
class Term:
    """``names`` are the word and its other names, the word first; ``html`` is its definition."""

    slug: str
    names: tuple[str, ...]
    html: str

    def to_json(self) -> dict[str, Any]:
        return {"slug": self.slug, "names": list(self.names), "html": self.html}


def find(lines: Iterable[str]) -> list[Term]:
    """The definitions among the lines of a lesson's opening; code and containers are passed over."""
    found: list[Term] = []
    paragraphs = _paragraphs(lines)
    for number, paragraph in enumerate(paragraphs):
        match = PLAIN.fullmatch(paragraph) or WITH_OTHERS.fullmatch(paragraph)
        if not match:
            continue
        text = match["text"]
        if text.rstrip().endswith(":") and number + 1 < len(paragraphs):
            text += "\n\n" + paragraphs[number + 1]
        others = [first or second for first, second in OTHER.findall(match.groupdict().get("others") or "")]
        found.append(Term(slug_of(match["term"]), (match["term"], *others), html.render(text)))
    return found


def slug_of(term: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def _paragraphs(lines: Iterable[str]) -> list[str]:
    """Runs of lines between empty ones; none from within fences or containers."""
    paragraphs, current, fenced, depth = [], [], False, 0
    for line in [*lines, ""]:
        fenced ^= line.startswith("```")
        if re.match(r":{3,}\s*\w", line):
            depth += 1
        elif re.match(r":{3,}\s*$", line):
            depth -= 1
        elif line.strip() and not fenced and not depth and not line.startswith("```"):
            current.append(line)
            continue
        if current:
            paragraphs.append("\n".join(current))
            current = []
    return paragraphs


# --- links ------------------------------------------------------------------------------------------------


def link(document: dict[str, Any], known: Iterable[Term], address: Callable[[str], str]) -> list[Term]:
    """Link the first use of each known word in the document's text; the words that were linked.

    ``address`` gives the glossary's address of a slug. The blocks' HTML is changed in place.
    """
    waiting = {name.lower(): term for term in known for name in term.names if _is_linkable(name)}
    linked: dict[str, Term] = {}
    for step in document["steps"]:
        for block in step["blocks"]:
            if block["kind"] == "html" and waiting:
                block["html"] = _link_html(block["html"], waiting, linked, address)
    return list(linked.values())


def _is_linkable(name: str) -> bool:
    return " " in name or name.isupper() or len(name) >= SHORTEST_LINKED


def _link_html(source: str, waiting: dict[str, Term], linked: dict[str, Term], address: Callable[[str], str]) -> str:
    parts, closed = TAG.split(source), 0
    for index, part in enumerate(parts):
        if part.startswith("<"):
            name = re.match(r"</?(\w+)", part)
            if name and name[1] in CLOSED_TO_LINKS:
                closed += -1 if part.startswith("</") else 1
        elif not closed and part.strip():
            parts[index] = _link_text(part, waiting, linked, address)
    return "".join(parts)


def _link_text(text: str, waiting: dict[str, Term], linked: dict[str, Term], address: Callable[[str], str]) -> str:
    names = sorted(waiting, key=len, reverse=True)
    if not names:
        return text
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})(?:e?s)?\b", re.IGNORECASE)

    def replace(match: re.Match[str]) -> str:
        term = waiting.get(match[1].lower())
        if term is None:
            return match[0]
        linked[term.slug] = term
        for name in term.names:
            waiting.pop(name.lower(), None)
        return f'<a class="defined" href="{address(term.slug)}" data-term="{term.slug}">{match[0]}</a>'
    return pattern.sub(replace, text)
