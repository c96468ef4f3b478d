"""Who may see which preview: addresses, tickets and the cookie.

A preview lives at ``<number>-<session id without dashes>.<preview host>``: an origin of its own for each,
which holds no cookie of the site. The address is no permission. The lesson page sends its owner there with a
ticket, good for a minute and for that one address; it is changed for a cookie of that host name alone. Each
request asks again whether the session is ready and the user's own, and whether they have signed out since.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

import redis
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.core import signing
from django.dispatch import receiver

from labs.models import LabSession

ENTER_PATH = "/.bulkhead/enter"
TICKET_SECONDS = 60
COOKIE_SECONDS = 12 * 3600
REMEMBER_SECONDS = 2.0
"""A page may have a hundred parts: for so long one answer of the database counts for all of them."""
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
log = logging.getLogger(__name__)
_LABEL = re.compile(r"([0-7])-([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")


@dataclass(frozen=True)
class Address:
    """Preview ``number`` of a session."""

    number: int
    session_id: str

    @property
    def label(self) -> str:
        return f"{self.number}-{self.session_id.replace('-', '')}"


@dataclass(frozen=True)
class Target:
    """Where the bytes go."""

    host: str
    session_id: str
    machine: str
    port: int


# --- addresses --------------------------------------------------------------------------------------------


def address_of(host: str) -> Address | None:
    """The preview that a Host header names, or None if it is not one of a preview's."""
    label, _, rest = _split_port(host.lower())[0].partition(".")
    match = _LABEL.fullmatch(label)
    if not match or rest != preview_host():
        return None
    return Address(int(match[1]), "-".join(match.groups()[1:]))


def is_preview_host(host: str) -> bool:
    """Is it below the preview host, whether such a preview can exist or not? The site itself never answers
    there."""
    return _split_port(host.lower())[0].endswith(f".{preview_host()}")


def origin_of(address: Address, scheme: str, site_host: str) -> str | None:
    """Where the browser that sees the site as ``site_host`` finds the preview; None if no host name is set
    for previews and the site is not this very machine, whose browsers know ``*.localhost`` by themselves."""
    name, port = _split_port(site_host)
    if not settings.PREVIEW_HOST and name not in LOCAL_HOSTS:
        return None
    return f"{scheme}://{address.label}.{preview_host()}{port}"


def preview_host() -> str:
    return settings.PREVIEW_HOST or "localhost"


def _split_port(host: str) -> tuple[str, str]:
    """("name", ":port") of a Host header; the port may be empty, and an IPv6 address has colons of its
    own."""
    match = re.fullmatch(r"(.*?)(:\d+)?", host)
    return match[1], match[2] or ""


# --- ticket and cookie ------------------------------------------------------------------------------------


def ticket_for(address: Address, user_id: int) -> str:
    return signing.dumps([address.label, user_id], salt="preview.ticket")


def change_ticket(address: Address, ticket: str) -> str | None:
    """The value of the cookie that a ticket is good for, or None."""
    claim = _read(ticket, "preview.ticket", TICKET_SECONDS)
    if claim is None or claim[0] != address.label:
        return None
    return signing.dumps([address.label, claim[1], int(time.time())], salt="preview.cookie")


def cookie_name(scheme: str) -> str:
    """With the prefix no other host name can have set it; browsers allow the prefix on https only."""
    return "__Host-bulkhead-preview" if scheme == "https" else "bulkhead-preview"


def cookie_ending(scheme: str) -> str:
    """What makes a cookie reach a frame in a page of another site: browsers count localhost as secure. On
    plain http below the site's own domain the frame is of the same site, and the default will do."""
    if scheme == "https" or not settings.PREVIEW_HOST:
        return "; Secure; SameSite=None; Partitioned"
    return "; SameSite=Lax"


def _read(value: str, salt: str, seconds: int) -> list[Any] | None:
    try:
        return signing.loads(value, salt=salt, max_age=seconds)
    except signing.BadSignature:
        return None


# --- at each request --------------------------------------------------------------------------------------


async def find(address: Address, scheme: str, cookie_headers: list[bytes]) -> Target | None:
    """Where a request goes, or None: no cookie, another's session, one that has ended, a preview that is not
    there."""
    value = _cookie(cookie_name(scheme), cookie_headers)
    claim = _read(value, "preview.cookie", COOKIE_SECONDS) if value else None
    if claim is None or claim[0] != address.label:
        return None
    key, now = (address.label, *claim[1:]), time.monotonic()
    if key not in _remembered or _remembered[key][0] < now:
        if len(_remembered) > 1000:
            _remembered.clear()
        _remembered[key] = (now + REMEMBER_SECONDS, await database_sync_to_async(_look_up)(address, *claim[1:]))
    return _remembered[key][1]


_remembered: dict[tuple, tuple[float, Target | None]] = {}


def _look_up(address: Address, user_id: int, since: int) -> Target | None:
    session = LabSession.objects.filter(pk=address.session_id, user_id=user_id, user__is_active=True,
                                        state=LabSession.State.READY).first()
    previews = session.lab.get("previews", []) if session else []
    if address.number >= len(previews) or _signed_out_at(user_id) >= since:
        return None
    found = previews[address.number]
    return Target(session.host, address.session_id, found["machine"], found["port"])


def _cookie(name: str, headers: list[bytes]) -> str | None:
    for header in headers:
        try:
            found = SimpleCookie(header.decode("latin-1")).get(name)
        except CookieError:
            continue
        if found:
            return found.value
    return None


# --- signing out ------------------------------------------------------------------------------------------


def _key(user_id: int) -> str:
    return f"bulkhead:preview:signed-out:{user_id}"


@receiver(user_logged_out)
def forget_previews(user: Any = None, **_: Any) -> None:
    """Cookies of previews lie on host names that the site can't clear; from now on they open nothing."""
    if not user:
        return
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as bus:
            bus.set(_key(user.pk), int(time.time()), ex=COOKIE_SECONDS)
    except redis.RedisError:
        log.exception("the previews of user %s stay open until their sessions end", user.pk)


def _signed_out_at(user_id: int) -> int:
    """0 if never, or if Redis does not say: then it carries no preview either."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as bus:
            return int(bus.get(_key(user_id)) or 0)
    except redis.RedisError:
        return 0
