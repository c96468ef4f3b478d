"""A module's final exam: how it stands, an attempt with its answers, handing in, and the review."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labs import exams
from labs.lesson_views import sent_by_script
from labs.models import ExamAttempt, Module
from labs.signed_in import login_required


def find(course: str, module: str) -> Module:
    found = get_object_or_404(Module.objects.select_related("course"), slug=module, course__slug=course)
    if not found.exam:
        raise Http404
    return found


def find_attempt(request: HttpRequest, attempt: UUID) -> ExamAttempt:
    """An attempt of the one who asks: anybody else's is not there."""
    return get_object_or_404(ExamAttempt.objects.select_related("module__course"), pk=attempt, user=request.user)


@require_safe
@never_cache
def show(request: HttpRequest, course: str, module: str) -> HttpResponse:
    found = find(course, module)
    attempts = exams.attempts_of(request.user, found)
    return render(request, "labs/exam.html", {
        "module": found, "course": found.course, "exam": found.exam, **exams.state_of(found, attempts),
        "attempts": [attempt for attempt in attempts if attempt.handed_in_at]})


@require_POST
@login_required
def begin(request: HttpRequest, course: str, module: str) -> HttpResponse:
    found = find(course, module)
    try:
        return redirect(exams.begin(request.user, found))
    except exams.NotYet as early:
        messages.error(request, _("The next attempt may begin at %s.") % localtime(early.at).strftime("%H:%M %Z, %d %B"))
        return redirect("exam", course, module)


@require_safe
@login_required
@never_cache
def attempt(request: HttpRequest, attempt: UUID) -> HttpResponse:
    found = find_attempt(request, attempt)
    if found.handed_in_at:
        return render(request, "labs/exam_review.html", {**_about(found), "questions": exams.reviewed(found)})
    return _form(request, found)


def _form(request: HttpRequest, found: ExamAttempt, is_asked: bool = False) -> HttpResponse:
    """The questions to answer; ``is_asked`` if handing in has to be confirmed, as some have no answer."""
    questions = exams.shown(found)
    return render(request, "labs/exam_attempt.html", {
        **_about(found), "questions": questions, "is_asked": is_asked, "block": {"id": "exam"},
        "open_numbers": [number for number, question in enumerate(questions, 1) if not question["is_answered"]]})


def _about(found: ExamAttempt) -> dict[str, Any]:
    again = exams.next_at(found.module, [found]) if found.module.exam else None
    return {"attempt": found, "module": found.module, "course": found.module.course, "again_at": again,
            "now": timezone.now()}


@require_POST
@login_required
def answers(request: HttpRequest, attempt: UUID) -> HttpResponse:
    """Keep what has been chosen so far: for the page's script after every change, for others by a button."""
    found = find_attempt(request, attempt)
    is_kept = _save(request, found)
    if sent_by_script(request):
        return JsonResponse({"kept": is_kept}, status=200 if is_kept else 409)
    if is_kept:
        messages.success(request, _("Your answers are kept. You can go on later."))
    return redirect(found)


def _save(request: HttpRequest, found: ExamAttempt) -> bool:
    """The page's script says which questions were touched; without it the whole form counts."""
    changed = request.POST["changed"].split() if "changed" in request.POST else None
    return exams.save(found, exams.given(request.POST, found.questions), changed)


@require_POST
@login_required
def submission(request: HttpRequest, attempt: UUID) -> HttpResponse:
    """Hand in; who left questions open is asked once."""
    found = find_attempt(request, attempt)
    if _save(request, found):
        found.refresh_from_db()
        if "sure" not in request.POST and not all(question["is_answered"] for question in exams.shown(found)):
            return _form(request, found, is_asked=True)
    exams.hand_in(found)
    return redirect(found)
