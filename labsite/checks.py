"""Rules between settings, said at start with an id and a hint."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import Error, Warning, register
from django.http.request import validate_host


@register()
def check_secret_key(**_: Any) -> list[Error]:
    if len(settings.SECRET_KEY) >= 32:
        return []
    return [Error("BULKHEAD_SECRET_KEY is missing or shorter than 32 characters.", id="bulkhead.E001",
                  hint="Set it to 50 random characters; `lab` writes one to secrets.env.")]


@register()
def check_content_dirs(**_: Any) -> list[Error]:
    return [Error(f"BULKHEAD_CONTENT_DIRS names {path}, which is not a directory.", id="bulkhead.E002",
                  hint="Give existing folders, separated by commas.")
            for path in settings.CONTENT_DIRS if not path.is_dir()]


@register()
def check_origin(**_: Any) -> list[Error]:
    if not settings.ORIGIN or settings.ORIGIN.startswith(("http://", "https://")):
        return []
    return [Error("BULKHEAD_ORIGIN has no scheme.", id="bulkhead.E003",
                  hint="Write it as https://labs.example.org, without a path.")]


@register()
def check_session_times(**_: Any) -> list[Warning]:
    if settings.SESSION_NUDGE_SECONDS < settings.SESSION_OVERDUE_SECONDS:
        return []
    return [Warning("A start is given up before it is asked for a second time.", id="bulkhead.W001",
                    hint="Make BULKHEAD_SESSION_NUDGE_SECONDS smaller than BULKHEAD_SESSION_OVERDUE_SECONDS.")]


@register()
def check_preview_host(**_: Any) -> list[Error]:
    """Pages of previews are strangers': no rule that trusts the site's own host names may hold for theirs."""
    name = settings.PREVIEW_HOST
    if name and not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", name):
        return [Error(f"BULKHEAD_PREVIEW_HOST={name!r} is no host name.", id="bulkhead.E004",
                      hint="Write it without scheme, port and asterisk: preview.labs.example.org.")]
    if validate_host(f"x.{name or 'localhost'}", settings.ALLOWED_HOSTS):
        return [Error("BULKHEAD_ALLOWED_HOSTS lets web previews pass for the site.", id="bulkhead.E005",
                      hint="Name the site's own hosts only, without a pattern that BULKHEAD_PREVIEW_HOST falls under.")]
    return []


@register()
def check_workers_at(**_: Any) -> list[Error]:
    """Worker hosts come in by TLS with users of their own; the site's own user must then have a password."""
    if not settings.WORKERS_AT:
        return []
    if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}", settings.WORKERS_AT):
        return [Error(f"BULKHEAD_WORKERS_AT={settings.WORKERS_AT!r} is no address with a port.", id="bulkhead.E006",
                      hint="Write it as 10.0.0.1:6380, the address at which worker hosts reach this machine.")]
    if "@" not in settings.REDIS_URL:
        return [Error("BULKHEAD_WORKERS_AT is set, and the site's own Redis user has no password.", id="bulkhead.E007",
                      hint="Give BULKHEAD_REDIS_URL one: without it every host that joined could do everything there.")]
    return []
