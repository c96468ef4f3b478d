"""Finding words in the course: every step of every lesson is a place, ranked by where the words stand.

The course is small (tens of lessons), so the index lives in memory: one entry per step, made once per version of a
lesson. Every word of a query must stand in a place, or be the beginning of a word there.
"""

from __future__ import annotations

import functools
import html
import re
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from labs.models import Lesson

MAX_QUERY_CHARS = 100
MAX_RESULTS = 40
SNIPPET_CHARS = 160
TAG = re.compile(r"<[^>]+>")
WORD = re.compile(r"[\w./-]+")
TITLE_WEIGHT, STEP_WEIGHT = 12, 6


@dataclass(frozen=True)
class Place:
    """A step of a lesson; ``step`` is empty for what stands before the first."""

    step: str
    title: str
    text: str


@dataclass(frozen=True)
class Hit:
    lesson: Lesson
    place: Place
    score: int
    snippet: SafeString

    @property
    def url(self) -> str:
        return self.lesson.get_absolute_url() + (f"#{self.place.step}" if self.place.step else "")


def find(query: str) -> list[Hit]:
    """The best places first; nothing for a query without a word."""
    words = [word.lower() for word in WORD.findall(query[:MAX_QUERY_CHARS])]
    if not words:
        return []
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE) for word in words]
    lessons = Lesson.objects.select_related("module__course")
    hits = [hit for lesson in lessons for hit in _in_lesson(lesson, patterns)]
    return sorted(hits, key=lambda hit: -hit.score)[:MAX_RESULTS]


def _in_lesson(lesson: Lesson, patterns: list[re.Pattern[str]]) -> list[Hit]:
    hits = []
    for place in _places(lesson.pk, lesson.html_version):
        fields = ((lesson.title, TITLE_WEIGHT), (place.title, STEP_WEIGHT), (place.text, 1))
        counts = [sum(weight * len(pattern.findall(text)) for text, weight in fields) for pattern in patterns]
        in_place = all(pattern.search(place.title) or pattern.search(place.text) for pattern in patterns)
        if all(counts) and (in_place or not place.step):
            hits.append(Hit(lesson, place, sum(counts), snippet(place.text, patterns)))
    return hits


@functools.lru_cache(maxsize=512)
def _places(pk: int, version: str) -> tuple[Place, ...]:
    """``version`` is part of the key only: another text, another entry."""
    document = Lesson.objects.values_list("document", flat=True).get(pk=pk)
    return tuple(Place(step["id"], step["title"], " ".join(_texts(step["blocks"]))) for step in document["steps"])


def _texts(blocks: list[dict[str, Any]]) -> list[str]:
    """What a reader sees without unfolding or answering anything."""
    found = []
    for block in blocks:
        if block["kind"] == "when":
            found += _texts(block["blocks"])
        elif block["kind"] in ("html", "code", "transcript", "aside"):
            found.append(html.unescape(TAG.sub("", block.get("title", "") + " " + block["html"])))
        elif block["kind"] == "figure":
            found += [block["title"], block["description"]]
    return [" ".join(text.split()) for text in found]


def snippet(text: str, patterns: list[re.Pattern[str]]) -> SafeString:
    """Some words around the first match, with every match marked."""
    first = min((match.start() for pattern in patterns if (match := pattern.search(text))), default=0)
    begin = text.rfind(" ", 0, max(0, first - SNIPPET_CHARS // 3)) + 1
    cut = text[begin:begin + SNIPPET_CHARS]
    if begin + SNIPPET_CHARS < len(text):
        cut = cut.rsplit(" ", 1)[0] + " …"
    either = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in patterns), re.IGNORECASE)
    pieces, at = [], 0
    for match in either.finditer(cut):
        pieces += [escape(cut[at:match.start()]), "<mark>", escape(match[0]), "</mark>"]
        at = match.end()
    return mark_safe(("… " if begin else "") + "".join(pieces) + escape(cut[at:]))  # noqa: S308  (every piece is escaped)
