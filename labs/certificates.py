"""Who has earned a course's certificate, and giving it. What it says stands in its row; the PDF is drawn when asked for."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labs import lesson_text
from labs.models import Certificate, Course, ExamAttempt, Lesson, TaskResult

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "MODIFIER")
"""What the PDF's font can draw from left to right, by the first word of a letter's name in Unicode."""
OTHER_SIGNS = " '’-.,()·"


class NotEarned(Exception):
    """Something that the course asks for is missing."""


class NameForm(forms.Form):
    """The name that a certificate bears."""

    name = forms.CharField(label=gettext_lazy("Name on the certificate"), max_length=80, min_length=2,
                           widget=forms.TextInput(attrs={"autocomplete": "name"}))

    def clean_name(self) -> str:
        name = unicodedata.normalize("NFC", " ".join(self.cleaned_data["name"].split()))
        foreign = sorted({sign for sign in name if not _is_printable(sign)})
        if foreign:
            raise forms.ValidationError(
                _("The certificate can't show %s. It has Latin, Greek, Cyrillic, Armenian and Georgian letters, blanks, "
                  "hyphens, apostrophes, commas, brackets and full stops.") % " ".join(foreign))
        return name


def _is_printable(sign: str) -> bool:
    if sign.isalpha() or unicodedata.combining(sign):
        return unicodedata.name(sign, "").split(" ")[0] in (*SCRIPTS, "COMBINING")
    return sign in OTHER_SIGNS


def needs_of(user: Any, course: Course) -> list[dict[str, Any]]:
    """[{"kind": "labs" or "exams", "done", "total"}] of what the course asks for."""
    count = {"labs": _labs, "exams": _exams}
    return [{"kind": kind, **count[kind](user, course)} for kind in course.certificate["needs"]]


def _labs(user: Any, course: Course) -> dict[str, int]:
    """Lessons with a lab, and those whose every task has been passed."""
    passed: dict[int, set[str]] = {}
    rows = TaskResult.objects.filter(user=user, lesson__module__course=course, passed_at__isnull=False)
    for lesson, task in rows.values_list("lesson_id", "task"):
        passed.setdefault(lesson, set()).add(task)
    labs = [(pk, {task["id"] for task in lesson_text.decoded(text)["tasks"]})
            for pk, text in lesson_text.as_text(Lesson.objects.filter(module__course=course, lab__isnull=False))
            .values_list("pk", "lab_text")]
    return {"total": len(labs), "done": sum(tasks <= passed.get(pk, set()) for pk, tasks in labs)}


def _exams(user: Any, course: Course) -> dict[str, int]:
    modules = [module.pk for module in course.modules.all() if module.exam]
    done = ExamAttempt.objects.filter(user=user, module__in=modules, is_passed=True).values("module").distinct().count()
    return {"total": len(modules), "done": done}


def is_earned(needs: list[dict[str, Any]]) -> bool:
    """A course without anything to do gives nothing."""
    return any(need["total"] for need in needs) and all(need["done"] == need["total"] for need in needs)


def of(user: Any, course: Course) -> Certificate | None:
    return Certificate.objects.filter(user=user, course=course).first()


def give(user: Any, course: Course, name: str) -> Certificate:
    """The certificate with this name on it; NotEarned if there is none yet and something is missing."""
    found = of(user, course)
    if found is None:
        if not is_earned(needs_of(user, course)):
            raise NotEarned
        try:
            return Certificate.objects.create(user=user, course=course, name=name, title=course.title,
                                              hours=course.certificate["hours"], issued_at=timezone.now())
        except IntegrityError:  # the other click was faster
            found = Certificate.objects.get(user=user, course=course)
    Certificate.objects.filter(pk=found.pk, revoked_at=None).update(name=name)
    found.refresh_from_db()
    return found
