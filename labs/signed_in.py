"""Who must be signed in, and where they come back to when they were not."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def login_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As Django's, but whoever sent a form comes back to the page that held it: the form's own address answers no GET."""
    @wraps(view)
    def checked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *arguments, **named)
        return redirect_to_login(request.get_full_path() if request.method in ("GET", "HEAD") else _page_of_the_form(request))
    return checked


def _page_of_the_form(request: HttpRequest) -> str:
    """The page that the browser says it came from, if that is one of this site; else the course."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return reverse("course-home")
    page = urlsplit(referer)
    return page.path + (f"?{page.query}" if page.query else "")
