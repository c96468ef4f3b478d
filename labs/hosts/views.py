"""The operator's page: hosts, tokens, sessions; and the few things that may be done to a host. Staff only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from labs.hosts import cards, joining, wishes
from labs.models import JoinToken, LabSession, WorkerHost
from labs.sight.views import last_walk
from labs.signed_in import login_required

RECENT_SESSIONS = 50


def staff_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Signed out: to the sign-in page. Signed in and not of the staff: 403."""
    @login_required
    @wraps(view)
    def checked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *arguments, **named)
    return checked


@staff_only
@never_cache
def operator(request: HttpRequest, token: str = "") -> HttpResponse:
    usable = JoinToken.objects.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now()).select_related("made_by")
    sessions = LabSession.objects.select_related("user", "lesson")[:RECENT_SESSIONS]
    return render(request, "labs/operator.html", {
        "hosts": cards.of_all(), "sessions": sessions, "tokens": usable, "token": token,
        "workers_at": settings.WORKERS_AT, "origin": settings.ORIGIN or request.build_absolute_uri("/").rstrip("/"),
        "walk": last_walk(), "drain_minutes": wishes.DRAIN_MINUTES, "token_minutes": joining.TOKEN_MINUTES})


@staff_only
@require_POST
def token_create(request: HttpRequest) -> HttpResponse:
    """Shows the page with the token in it, once: it is kept nowhere, so there is nothing to redirect to."""
    return operator(request, token=joining.make_token(request.user))


@staff_only
@require_POST
def token_revocation(request: HttpRequest, pk: int) -> HttpResponse:
    if joining.revoke_token(pk):
        messages.success(request, _("The token has been revoked: no host can join with it."))
    return redirect("operator")


@staff_only
@require_POST
def wish(request: HttpRequest, name: str) -> HttpResponse:
    wanted = request.POST.get("wish", "")
    if wanted not in WorkerHost.Wish.values:
        return HttpResponse(_("A host can be open, cordoned or draining."), status=400)
    try:
        wishes.set_wish(name, wanted)
    except WorkerHost.DoesNotExist:
        raise Http404 from None
    return redirect("operator")


@staff_only
@require_POST
def removal(request: HttpRequest, name: str) -> HttpResponse:
    try:
        wishes.remove(name)
        messages.success(request, _("%s is no worker host of this site any more.") % name)
    except WorkerHost.DoesNotExist:
        raise Http404 from None
    except redis.RedisError:
        messages.error(request, _("Redis does not answer, so the host can't be shut out now. Nothing was changed; try again."))
    return redirect("operator")
