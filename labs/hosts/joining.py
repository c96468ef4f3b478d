"""How a machine becomes a worker host: tokens, the request that uses one up, and leaving. Decides; the views are beside.

A request is believed because it is signed with the key that a token stands for (fleet.token_seed), and a token is good
once: its row is locked while the host is made. Nothing secret is in request, answer or database.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from datetime import timedelta
from typing import Any

import redis
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labs.hosts import bus, site_key
from labs.models import JoinToken, WorkerHost
from runtime_agent import fleet, protocol

TOKEN_MINUTES = 60
MAX_TOKEN_MINUTES = 7 * 24 * 60
HEX = re.compile(r"[0-9a-f]{64}")


class JoinRefused(Exception):
    """``reason`` is a key of fleet.REFUSALS; ``detail`` is for whoever stands at the machine."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def make_token(user: Any = None, minutes: int = TOKEN_MINUTES) -> str:
    """A new token's text. It is shown once: what is kept of it can't bring it back."""
    secret, now = secrets.token_bytes(16), timezone.now()
    public = Ed25519PrivateKey.from_private_bytes(fleet.token_seed(secret)).public_key()
    JoinToken.objects.create(public_key=public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex(), made_by=user, made_at=now,
                             expires_at=now + timedelta(minutes=max(1, min(minutes, MAX_TOKEN_MINUTES))))
    return fleet.write_token(secret, fleet.fingerprint(site_key.public_bytes()))


def revoke_token(pk: int) -> bool:
    """False if there is none that could still be used."""
    return bool(JoinToken.objects.filter(pk=pk, used_at=None, revoked_at=None).update(revoked_at=timezone.now()))


def join(body: bytes) -> dict[str, str]:
    """Make the host that a request asks for; the signed answer. Raises JoinRefused, and then nothing has changed."""
    signer, message = _read(body, "join")
    with transaction.atomic():
        token = _usable_token(signer)
        _check(message)
        if WorkerHost.objects.filter(name=message["name"]).exclude(joined_at=None, is_silent=True).exists():
            raise JoinRefused("name-taken", message["name"])
        host, _ = WorkerHost.objects.update_or_create(name=message["name"], defaults={
            "key": message["key"], "password_sha256": message["password_sha256"], "joined_at": timezone.now(),
            "is_silent": True, "line": {}})
        token.used_at, token.used_by = host.joined_at, host.name
        token.save()
        try:
            bus.let_in(host)
        except redis.RedisError as error:
            raise JoinRefused("no-bus", type(error).__name__) from None
    return site_key.sign("joined", json.dumps({
        "name": host.name, "bus": settings.WORKERS_AT, "authority": site_key.authority(),
        "certificate": site_key.client_certificate(host.name, bytes.fromhex(host.key))}))


def leave(body: bytes) -> str:
    """The host that signed goes; its name. Raises JoinRefused."""
    signer, message = _read(body, "leave")
    host = WorkerHost.objects.filter(key=signer, name=message.get("name")).exclude(key="").first()
    if host is None:
        raise JoinRefused("token-unknown", "no such host has joined")
    _check_clock(message)
    from labs.hosts import wishes
    wishes.remove(host.name)
    return host.name


def _read(body: bytes, kind: str) -> tuple[str, dict[str, Any]]:
    """(signer, message) of a request whose signature is its signer's. Who that is, the caller finds out."""
    try:
        if len(body) > fleet.MAX_JOIN_BYTES:
            raise ValueError("too large")
        envelope = json.loads(body)
        signer, text = envelope["signer"], envelope["message"]
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(
            bytes.fromhex(envelope["signature"]), fleet.signed_bytes(kind, text))
        message = json.loads(text)
        if not isinstance(message, dict):
            raise ValueError("no mapping")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidSignature) as error:
        raise JoinRefused("bad-message", str(error)[:200]) from None
    return signer, message


def _usable_token(signer: str) -> JoinToken:
    token = JoinToken.objects.select_for_update().filter(public_key=signer).first()
    if token is None:
        raise JoinRefused("token-unknown")
    if token.revoked_at:
        raise JoinRefused("token-revoked")
    if token.used_at:
        raise JoinRefused("token-used", f"by {token.used_by}")
    if token.expires_at <= timezone.now():
        raise JoinRefused("token-expired", f"at {token.expires_at:%Y-%m-%d %H:%M} UTC")
    return token


def _check(message: dict[str, Any]) -> None:
    if not settings.WORKERS_AT:
        raise JoinRefused("not-open")
    wanted, found = [fleet.VERSION, protocol.VERSION], [message.get("version"), message.get("protocol")]
    if wanted != found:
        raise JoinRefused("wrong-version", f"the site speaks {wanted}, this machine {found}")
    _check_clock(message)
    name, key = message.get("name"), message.get("key")
    if not isinstance(name, str) or not fleet.HOST_NAME.fullmatch(name):
        raise JoinRefused("bad-message", "name")
    if not isinstance(key, str) or not HEX.fullmatch(key) or not HEX.fullmatch(str(message.get("password_sha256"))):
        raise JoinRefused("bad-message", "key")


def _check_clock(message: dict[str, Any]) -> None:
    at = message.get("at")
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise JoinRefused("bad-message", "at")
    if abs(skew := at - time.time()) > fleet.MAX_CLOCK_SKEW_SECONDS:
        raise JoinRefused("wrong-clock", f"this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the site")
