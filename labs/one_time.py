"""Links that sign somebody in once: for the first administrator, who has no password yet.

The token is signed, names the user and the time of their last sign-in, and is good for a day. Signing in changes that
time, and with it every link made before stops working.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model, login
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

SALT = "labs.one-time"
MAX_AGE_SECONDS = 24 * 3600
BACKEND = "django.contrib.auth.backends.ModelBackend"


def link(user: Any) -> str:
    """The path of a link for ``user``; every earlier link of theirs stays good until one is used."""
    return reverse("one-time", args=[signing.dumps([user.pk, _mark(user)], salt=SALT)])


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing, so that a mail scanner can't use the link up; POST signs in."""
    user = _user_of(token)
    if user is None:
        return render(request, "account/one_time.html", status=410)
    if request.method == "GET":
        return render(request, "account/one_time_enter.html", {"user_found": user})
    login(request, user, backend=BACKEND)
    return redirect("course-home")


def _user_of(token: str) -> Any | None:
    try:
        pk, mark = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    user = get_user_model().objects.filter(pk=pk, is_active=True).first()
    return user if user and _mark(user) == mark else None


def _mark(user: Any) -> str:
    return timezone.localtime(user.last_login).isoformat() if user.last_login else ""
