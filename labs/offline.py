"""The lessons as a folder of plain pages in a ZIP file: to read where the site is out of reach.

Nothing in it needs a server or scripts. Labs can't run there: their commands, hints and solutions are shown, answers and
explanations unfold. The file is made once per version of the course.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from labs import options
from labs.models import Course, Lesson

TO_GLOSSARY = re.compile(r'<a class="defined"[^>]*>(.*?)</a>', re.DOTALL)
MADE_AT = (1980, 1, 1, 0, 0, 0)
"""The earliest time that ZIP knows: the same course makes the same bytes."""


def bundle(course: Course) -> bytes:
    lessons = list(Lesson.objects.filter(module__course=course).select_related("module__course"))
    return _bundle(course.pk, tuple((lesson.pk, lesson.html_version) for lesson in lessons))


@functools.lru_cache(maxsize=4)
def _bundle(course_pk: int, versions: tuple[tuple[int, str], ...]) -> bytes:
    course = Course.objects.get(pk=course_pk)
    lessons = list(Lesson.objects.filter(module__course=course).select_related("module__course"))
    pages = {lesson.pk: page_name(number, lesson) for number, lesson in enumerate(lessons, 1)}
    entries = [{"lesson": lesson, "page": pages[lesson.pk]} for lesson in lessons]
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "index.html", render_to_string("labs/offline/index.html", {"course": course, "entries": entries}))
        for at, entry in enumerate(entries):
            _add(archive, entry["page"], render_to_string("labs/offline/lesson.html", {
                "course": course, **entry, "previous": entries[at - 1] if at else None,
                "following": entries[at + 1] if at + 1 < len(entries) else None,
                "steps": steps_of(entry["lesson"])}))
        for path in _style_files():
            _add(archive, path.relative_to(settings.BASE_DIR / "static" / "dist").as_posix(), path.read_bytes())
    return body.getvalue()


def page_name(number: int, lesson: Lesson) -> str:
    return f"{number:02d}-{lesson.slug}.html"


def steps_of(lesson: Lesson) -> list[dict[str, Any]]:
    """The document without its links to the glossary, as there is none here, and with its options mixed."""
    return [{**step, "blocks": [_plain(lesson, block) for block in step["blocks"]]} for step in lesson.document["steps"]]


def _plain(lesson: Lesson, block: dict[str, Any]) -> dict[str, Any]:
    if block["kind"] == "html":
        return {**block, "html": TO_GLOSSARY.sub(r"\1", block["html"])}
    if block["kind"] == "when":
        return {**block, "blocks": [_plain(lesson, inner) for inner in block["blocks"]]}
    if block["kind"] == "predict" and block["kind_of"] == "choice":
        right = next(option["html"] for option in block["options"] if option["id"] == block["answer"])
        return {**block, "answer": right, "options": _mixed(lesson, block["id"], block)}
    if block["kind"] == "quiz":
        return {**block, "questions": [{**question, "shown": _mixed(lesson, f"{block['id']}/{question['id']}", question)}
                                       for question in block["questions"]]}
    return block


def _mixed(lesson: Lesson, name: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """As everybody gets them who has this file: it has no reader."""
    return options.mixed(asked["options"], options.key(f"offline/{lesson.pk}/{name}"), asked["kind"] == "order")


def _style_files() -> list[Path]:
    """The style sheet and what it refers to, as the build made them."""
    folder = settings.BASE_DIR / "static" / "dist" / "css"
    fonts = sorted(path for path in (folder / "fonts").glob("*") if path.suffix == ".woff2")
    return [path for path in (folder / "site.css", *fonts) if path.is_file()]


def _add(archive: zipfile.ZipFile, name: str, body: str | bytes) -> None:
    entry = zipfile.ZipInfo(name, MADE_AT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, body)
