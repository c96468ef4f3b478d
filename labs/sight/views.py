"""What a machine asks (metrics) and what an operator asks (capacity)."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from labs.sight import capacity, metrics, synthetic
from labs.signed_in import login_required

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
MAX_SEATS = 10_000


@require_safe
@never_cache
def show_metrics(request: HttpRequest) -> HttpResponse:
    if not may_scrape(request):
        raise Http404
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def may_scrape(request: HttpRequest) -> bool:
    """Whoever has the token; without one set, whoever is on this machine and not behind a proxy on it."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    is_forwarded = any(name in request.headers for name in FORWARDED)
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not is_forwarded


@require_safe
@login_required
def show_capacity(request: HttpRequest) -> HttpResponse:
    """``seats`` and ``at`` (9:00) come from the page's form; without them a class of thirty in an hour."""
    if not request.user.is_staff:
        raise PermissionDenied
    typed = {"seats": request.GET.get("seats", "30"), "at": request.GET.get("at", "")}
    context: dict[str, Any] = {"typed": typed, "cost": capacity.cost(), "price_set": bool(settings.HOST_HOUR_PRICE)}
    try:
        seats = int(typed["seats"])
        if not 1 <= seats <= MAX_SEATS:
            raise ValueError
        at = capacity.next_time(typed["at"]) if typed["at"] else timezone.localtime() + timedelta(hours=1)
        context["answer"] = capacity.answer(seats, at)
    except ValueError:
        context["error"] = _("Give a number of seats from 1 to %d and a time such as 9:00.") % MAX_SEATS
    return render(request, "labs/capacity.html", context, status=422 if "error" in context else 200)


def last_walk() -> dict[str, Any] | None:
    """The synthetic student's last walk for the operator's page."""
    try:
        walk = synthetic.last()
    except redis.RedisError:
        return None
    return {**walk, "at": timezone.datetime.fromtimestamp(walk["at"], timezone.get_current_timezone())} if walk else None
