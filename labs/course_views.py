"""Pages about the whole course: its words, what stands where, and a student's own numbers."""

from __future__ import annotations

import functools
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from labs import numbers as own_numbers
from labs import offline
from labs import search as course_search
from labs.course import html
from labs.models import Course, Lesson
from labs.signed_in import login_required


@require_safe
def glossary(request: HttpRequest) -> HttpResponse:
    """Every word that a lesson defines, by its first letter."""
    entries = sorted(defined_words(), key=lambda entry: entry["names"][0].casefold())
    letters = [{"letter": letter, "entries": list(group)} for letter, group in
               groupby(entries, key=lambda entry: entry["names"][0][:1].upper())]
    return render(request, "labs/glossary.html", {"letters": letters, "count": len(entries)})


def defined_words() -> list[dict[str, Any]]:
    """One entry a word: the definition of the first lesson that has one, and the other lessons that define it."""
    found: dict[str, dict[str, Any]] = {}
    for lesson in Lesson.objects.select_related("module__course"):
        for term in lesson.document.get("terms", []):
            entry = found.setdefault(term["slug"], {**term, "others": term["names"][1:], "lesson": lesson, "also": []})
            if entry["lesson"] != lesson:
                entry["also"].append(lesson)
    return list(found.values())


@require_safe
def guide(request: HttpRequest) -> HttpResponse:
    """How to use the site: docs/student.md, the one text of it."""
    return render(request, "labs/guide.html", {"guide": student_guide()})


@functools.cache
def student_guide() -> str:
    """The guide below its first heading, which is the page's own."""
    return html.render((settings.BASE_DIR / "docs" / "student.md").read_text().partition("\n")[2])


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:course_search.MAX_QUERY_CHARS]
    return render(request, "labs/search.html", {"query": query, "hits": course_search.find(query),
                                                "most": course_search.MAX_RESULTS})


@require_safe
def offline_bundle(request: HttpRequest, course: str) -> HttpResponse:
    """The lessons as plain pages in a ZIP file."""
    found = get_object_or_404(Course, slug=course)
    return HttpResponse(offline.bundle(found), content_type="application/zip",
                        headers={"Content-Disposition": f'attachment; filename="{found.slug}.zip"'})


@require_safe
@login_required
def numbers(request: HttpRequest) -> HttpResponse:
    """What the student measured, lesson by lesson, beside what the class measured."""
    lessons = own_numbers.of(request.user)
    done = sum(1 for lesson in lessons for row in lesson["rows"] if row["value"] is not None)
    return render(request, "labs/numbers.html", {"lessons": lessons, "done": done,
                                                 "total": sum(len(lesson["rows"]) for lesson in lessons)})
