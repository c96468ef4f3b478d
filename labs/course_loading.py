"""From the files of a course to its rows, and its labs to where the workers find them.

Files are the source. A lesson whose files have an error is left as it was, with everything students did in it; all
others are loaded. Lessons that are gone from the files are deleted only if nobody ever ran them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError
from django.urls import reverse

from labs.course import bundle, loader, terms
from labs.hosts import publishing
from labs.models import Course, Lesson, Module


def load_all() -> tuple[int, list[Any]]:
    """Load every course folder of CONTENT_DIRS: (lessons loaded, findings)."""
    count, findings = 0, []
    folders = [folder.parent for root in settings.CONTENT_DIRS for folder in sorted(Path(root).glob("*/course.yaml"))]
    for position, folder in enumerate(folders):
        course, found = loader.load_course(folder)
        findings += found
        if course is not None:
            count += load(course, position)
    publishing.publish()
    return count, findings


@transaction.atomic
def load(course: loader.Course, position: int) -> int:
    """Bring one course into the database; how many lessons it has now."""
    row, _ = Course.objects.update_or_create(slug=course.slug, defaults={
        "title": course.title, "summary": course.summary, "language": course.language, "licence": course.licence,
        "certificate": course.certificate, "position": position})
    link_terms(course)
    count = 0
    for module_position, module in enumerate(course.modules):
        module_row, _ = Module.objects.update_or_create(course=row, slug=module.slug, defaults={
            "title": module.title, "summary": module.summary, "position": module_position,
            **({} if module.is_exam_broken else {"exam": module.exam})})
        for lesson_position, lesson in enumerate(module.lessons):
            _load_lesson(module_row, lesson, lesson_position)
            count += 1
        _drop_others(module_row, {lesson.slug for lesson in module.lessons} | set(module.broken))
    link_neighbours(row)
    return count


def link_terms(course: loader.Course) -> None:
    """Let each lesson's text lead to the words that earlier lessons have defined; their cards go into its document."""
    known: dict[str, terms.Term] = {}
    for lesson in (lesson for module in course.modules for lesson in module.lessons):
        own = [terms.Term(term["slug"], tuple(term["names"]), term["html"]) for term in lesson.document["terms"]]
        earlier = [term for slug, term in known.items() if slug not in {term.slug for term in own}]
        cards = terms.link(lesson.document, earlier, lambda slug: f"{reverse('glossary')}#{slug}")
        lesson.document["cards"] = [term.to_json() for term in cards]
        for term in own:
            known.setdefault(term.slug, term)


def link_neighbours(course: Course) -> None:
    """Write into each lesson's document which ones come before and after it, so that its page looks at no other."""
    every = list(Lesson.objects.filter(module__course=course).select_related("module__course"))
    for before, lesson, after in zip([None, *every], every, [*every[1:], None], strict=False):
        lesson.document["neighbours"] = {"previous": _link_to(before), "next": _link_to(after)}
    Lesson.objects.bulk_update(every, ["document"])


def _link_to(lesson: Lesson | None) -> dict[str, str] | None:
    return {"title": lesson.title, "url": lesson.get_absolute_url()} if lesson else None


def _load_lesson(module: Module, lesson: loader.Lesson, position: int) -> None:
    digest = bundle.publish(lesson, settings.PUBLISHED_DIR) if lesson.lab else ""
    Lesson.objects.update_or_create(module=module, slug=lesson.slug, defaults={
        "title": lesson.title, "summary": lesson.summary, "minutes": lesson.minutes, "objectives": lesson.objectives,
        "claims": lesson.claims, "document": lesson.document, "lab": lesson.lab, "lab_digest": digest,
        "html_version": lesson.version, "position": position})


def _drop_others(module: Module, kept: set[str]) -> None:
    for lesson in module.lessons.exclude(slug__in=kept):
        try:
            with transaction.atomic():
                lesson.delete()
        except ProtectedError:
            continue
