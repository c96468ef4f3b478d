"""Pages that are no lesson: the course's home, one's own progress, the operator's view, health."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import localtime

from labs import agent_client, kept
from labs.lesson_page import progress_of
from labs.models import Course, LabSession, Module
from labs.sight.views import last_walk

RECENT_SESSIONS = 50


def course_home(request: HttpRequest) -> HttpResponse:
    course = Course.objects.first()
    modules = progress_of(request.user, modules_of(course))
    lessons = [lesson for module in modules for lesson in module["lessons"]]
    return render(request, "labs/home.html", {
        "course": course, "modules": modules, **where_to_continue(request.user, lessons),
        "progress": {"passed": sum(lesson["passed"] for lesson in lessons),
                     "total": sum(lesson["total"] for lesson in lessons)}})


def modules_of(course: Course | None) -> list[Module]:
    return list(Module.objects.filter(course=course).prefetch_related("lessons__module__course")) if course else []


def where_to_continue(user: Any, lessons: list[dict[str, Any]]) -> dict[str, Any]:
    """The lesson last worked in, else the first with something left."""
    last = (LabSession.objects.filter(user=user).values_list("lesson_id", flat=True).first()
            if user.is_authenticated else None)
    unfinished = [lesson for lesson in lessons if lesson["passed"] < lesson["total"]]
    found = next((lesson for lesson in unfinished if lesson["id"] == last), None) or next(
        iter(unfinished), None) or next(iter(lessons), None)
    if found is None:
        return {}
    return {"continue_lesson": found, "continue_url": found["url"], "continue_started": last is not None,
            "continue_step": ""}


@login_required
def me_progress(request: HttpRequest) -> HttpResponse:
    modules = progress_of(request.user, modules_of(Course.objects.first()))
    running = (LabSession.objects.filter(user=request.user, state__in=(*LabSession.ACTIVE, LabSession.State.ENDING))
               .select_related("lesson__module__course"))
    return render(request, "labs/progress.html", {
        "modules": modules, "running": running, "kept": kept.of(request.user), "kept_limit_bytes": kept.limit_bytes()})


@login_required
def operator(request: HttpRequest) -> HttpResponse:
    if not request.user.is_staff:
        raise PermissionDenied
    hosts = [{**host, "name": name, "heard": localtime(datetime.fromtimestamp(host["at"], timezone.utc))}
             for name, host in sorted(agent_client.living_hosts().items())]
    sessions = LabSession.objects.select_related("user", "lesson")[:RECENT_SESSIONS]
    return render(request, "labs/operator.html", {"hosts": hosts, "sessions": sessions, "walk": last_walk()})


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Ready to serve: the database answers. A worker that is away is not the site's own failure."""
    try:
        connection.ensure_connection()
    except DatabaseError:
        return HttpResponse("database\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
