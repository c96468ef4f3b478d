"""Pages that are no lesson: the course's home, one's own progress, health."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labs import certificates, kept, lesson_text, progress
from labs.models import Course, LabSession, Lesson, Module
from labs.signed_in import login_required


def course_home(request: HttpRequest) -> HttpResponse:
    course = Course.objects.first()
    modules = progress.of(request.user, modules_of(course))
    lessons = [lesson for module in modules for lesson in module["lessons"]]
    return render(request, "labs/home.html", {
        "course": course, "modules": modules, "signup_open": settings.SIGNUP_OPEN,
        **progress.where_to_continue(request.user, lessons), **about_certificate(request.user, course),
        "progress": {"passed": sum(lesson["passed"] for lesson in lessons),
                     "total": sum(lesson["total"] for lesson in lessons)}})


def about_certificate(user: Any, course: Course | None) -> dict[str, Any]:
    """What is left to do for the course's certificate, for those who can earn one."""
    if course is None or not course.certificate or not user.is_authenticated:
        return {}
    needs = certificates.needs_of(user, course)
    return {"certificate_needs": needs, "is_certificate_earned": certificates.is_earned(needs)}


def modules_of(course: Course | None) -> list[Module]:
    lessons = Prefetch("lessons", lesson_text.as_text(Lesson.objects.order_by("position", "slug")))
    return list(Module.objects.filter(course=course).select_related("course").prefetch_related(lessons)) if course else []


@login_required
def me_progress(request: HttpRequest) -> HttpResponse:
    course = Course.objects.first()
    modules = progress.of(request.user, modules_of(course))
    running = (LabSession.objects.filter(user=request.user, state__in=(*LabSession.ACTIVE, LabSession.State.ENDING))
               .select_related("lesson__module__course"))
    return render(request, "labs/progress.html", {
        "course": course, "modules": modules, **about_certificate(request.user, course), "running": running,
        "kept": kept.of(request.user), "kept_limit_bytes": kept.limit_bytes()})


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Ready to serve: the database answers. A worker that is away is not the site's own failure."""
    try:
        connection.ensure_connection()
    except DatabaseError:
        return HttpResponse("database\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
