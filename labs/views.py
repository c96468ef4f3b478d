"""Pages."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from labs import agent_client
from labs.models import Course, TaskResult


def course_home(request: HttpRequest) -> HttpResponse:
    return render(request, "labs/home.html", {"course": Course.objects.prefetch_related("modules__lessons").first()})


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_required
def me_progress(request: HttpRequest) -> JsonResponse:
    passed = TaskResult.objects.filter(user=request.user, passed_at__isnull=False)
    return JsonResponse({"passed": passed.count(), "points": sum(passed.values_list("points", flat=True))})


@staff_member_required
def operator(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hosts": agent_client.living_hosts()})
