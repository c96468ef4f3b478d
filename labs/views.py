"""Pages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labs.models import Course


def course_home(request: HttpRequest) -> HttpResponse:
    return render(request, "labs/home.html", {"course": Course.objects.prefetch_related("modules__lessons").first()})


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")
