"""``python -m runtime_agent join URL``: make this machine a worker host of a site; ``leave`` is the way back.

The token (standard input) names the site's key and stands for a signing key of its own. Nothing secret crosses the
wire: we sign the request with the token's key, we send the public half of this host's key and the SHA-256 of its
password for Redis, and the site's answer is signed with the key that the token names. So it is as safe over plain HTTP
in a room without certificates as it is over HTTPS.

    <agent>/site/site.json   {"url", "name", "site_key", "joined_at"}
    <agent>/site/ca.pem, cert.pem, key.pem, bus-url   what TLS and Redis ask for; root's alone
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import redis
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from runtime_agent import fleet, protocol
from runtime_agent.settings import Settings

TIMEOUT_SECONDS = 15
BUS_USER_SECONDS = 15


class JoinError(Exception):
    """Joining or leaving came to nothing; the text says what to do."""


def main(settings: Settings, rest: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="join", description=__doc__)
    parser.add_argument("action", choices=("join", "leave"))
    parser.add_argument("url", nargs="?")
    parser.add_argument("--name", default=settings.host.lower())
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args(rest)
    try:
        if arguments.action == "join":
            print(join(settings, arguments.url, sys.stdin.readline().strip(), arguments.name))
        else:
            print(leave(settings, arguments.force))
    except JoinError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def join(settings: Settings, url: str, token: str, name: str) -> str:
    """Join, or raise JoinError and have changed nothing here. What was done, as text."""
    if settings.is_joined:
        raise JoinError(f"this machine has joined a site already ({_noted(settings)['url']}): ./lab worker leave undoes that")
    if not fleet.HOST_NAME.fullmatch(name):
        raise JoinError(f"{name!r} can't be a host's name: small letters, digits and dashes, at most 32; use --name")
    try:
        secret, fingerprint = fleet.read_token(token)
    except ValueError as error:
        raise JoinError(f"this is no token: {error}") from None
    key, password = Ed25519PrivateKey.generate(), secrets.token_urlsafe(32)
    message = {"version": fleet.VERSION, "protocol": protocol.VERSION, "at": time.time(), "name": name, "key": _public(key).hex(),
               "password_sha256": hashlib.sha256(password.encode()).hexdigest()}
    signer = Ed25519PrivateKey.from_private_bytes(fleet.token_seed(secret))
    answer = _open_answer(_ask(url, "join", signer, message), fingerprint)
    _settle(settings, url.rstrip("/"), key, password, answer)
    try:
        _try_bus(settings.site_dir)
    except (redis.RedisError, OSError) as error:
        raise JoinError(f"the site has accepted this host, but its Redis at {answer['bus']} can't be reached: {error}. "
                        "Open that port between the two machines and run ./lab worker run; or ./lab worker leave") from None
    return (f"This machine is now the worker host {name} of {url}\n"
            f"  keys and certificate   {settings.site_dir} (root only)\n"
            f"  the site's Redis       {answer['bus']}, TLS with this host's certificate, user {fleet.bus_user(name)}\n"
            f"  labs and recipes       come signed by the site's key {fingerprint.hex()[:16]}\n"
            "Start it: sudo ./lab worker run    At every boot: sudo ./lab install    Undo: sudo ./lab worker leave")


def leave(settings: Settings, is_forced: bool) -> str:
    """Tell the site and forget the keys. With sandboxes still here it is refused, unless forced."""
    if not settings.is_joined:
        raise JoinError("this machine has not joined a site")
    noted = _noted(settings)
    busy = [path.parent.name for path in settings.sandboxes_dir.glob("*/session.json")]
    if busy and not is_forced:
        raise JoinError(f"sandboxes of students are still here ({len(busy)}): drain the host on the operator page and let it "
                        "run until they have ended (./lab worker run), or use --force")
    key = load_pem_private_key((settings.site_dir / "key.pem").read_bytes(), None)
    try:
        _ask(noted["url"], "leave", key, {"version": fleet.VERSION, "at": time.time(), "name": noted["name"]})
        told = "The site has taken the host out of its list."
    except JoinError as error:
        if not is_forced:
            raise
        told = f"The site could not be told ({error}); remove the host on its operator page."
    shutil.rmtree(settings.site_dir)
    for name in ("content", "recipes"):
        shutil.rmtree(settings.agent_dir / name, ignore_errors=True)
    (settings.agent_dir / "wish.json").unlink(missing_ok=True)  # else a drained host that joins again stays closed
    return (f"{told}\nKeys, labs and recipes of {noted['url']} are gone from this machine. "
            f"Images and kept disks stay in {settings.agent_dir}.")


# --- the wire ---------------------------------------------------------------------------------------------


def _ask(url: str, action: str, key: Ed25519PrivateKey, message: dict[str, Any]) -> dict[str, Any]:
    """POST a signed request; the answer's JSON. Raises JoinError for everything that is no answer."""
    text = json.dumps(message)
    body = json.dumps({"message": text, "signer": _public(key).hex(),
                       "signature": key.sign(fleet.signed_bytes(action, text)).hex()}).encode()
    if urlsplit(url).scheme not in ("http", "https"):
        raise JoinError(f"{url!r} is no address of a site: https://labs.example.org")
    request = urllib.request.Request(f"{url.rstrip('/')}/workers/{action}/", body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return json.loads(response.read(1 << 20))
    except urllib.error.HTTPError as error:
        raise JoinError(_refusal(url, error)) from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise JoinError(f"{url} shows a certificate that this machine does not trust: {reason.verify_message}. Its "
                            "plain http:// address is as safe here: the token proves both sides") from None
        raise JoinError(f"{url} does not answer as a Bulkhead site ({reason}): is the address right, and can "
                        "this machine reach it?") from None


def _refusal(url: str, error: urllib.error.HTTPError) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
        answer = json.loads(error.read(1 << 16))
        sentence = fleet.REFUSALS[answer["reason"]].sentence
        return f"{sentence} ({answer['detail']})" if answer.get("detail") else sentence
    return f"{url} answered with status {error.code}: it is no Bulkhead site, or of a version that takes no worker hosts"


def _open_answer(answer: dict[str, Any], fingerprint: bytes) -> dict[str, Any]:
    """What the site said, if it is the site that the token names."""
    try:
        site_key = bytes.fromhex(answer["signer"])
        if fleet.fingerprint(site_key) != fingerprint:
            raise JoinError("the machine that answered is not the site that made the token: nothing was changed here")
        Ed25519PublicKey.from_public_bytes(site_key).verify(
            bytes.fromhex(answer["signature"]), fleet.signed_bytes("joined", answer["message"]))
        return {**json.loads(answer["message"]), "site_key": answer["signer"]}
    except (KeyError, TypeError, ValueError, InvalidSignature):
        raise JoinError("the site's answer is damaged: nothing was changed here") from None


# --- the disk ---------------------------------------------------------------------------------------------


def _settle(settings: Settings, url: str, key: Ed25519PrivateKey, password: str, answer: dict[str, Any]) -> None:
    """All files in a hidden folder, then one rename: a host has joined, or it has not."""
    building = settings.agent_dir / ".joining"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True, mode=0o700)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    noted = {"url": url, "name": answer["name"], "site_key": answer["site_key"], "joined_at": time.time()}
    words = urlencode({"ssl_cert_reqs": "required", "ssl_check_hostname": "true", **{
        f"ssl_{word}": settings.site_dir / file for word, file in
        (("ca_certs", "ca.pem"), ("certfile", "cert.pem"), ("keyfile", "key.pem"))}})
    bus_url = f"rediss://{fleet.bus_user(answer['name'])}:{quote(password)}@{answer['bus']}/0?{words}"
    for name, text in (("key.pem", pem), ("cert.pem", answer["certificate"]), ("ca.pem", answer["authority"]),
                       ("bus-url", bus_url + "\n"), ("site.json", json.dumps(noted))):
        with open(os.open(building / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    shutil.rmtree(settings.site_dir, ignore_errors=True)
    building.rename(settings.site_dir)


def _try_bus(site_dir: Path) -> None:
    """The site's look at its users (every 2 s) may have come between user and row and taken ours for a stranger's: the
    next one gives it back."""
    deadline = time.monotonic() + BUS_USER_SECONDS
    with redis.Redis.from_url((site_dir / "bus-url").read_text().strip(), socket_connect_timeout=5, socket_timeout=5) as bus:
        while True:
            try:
                bus.get(fleet.CATALOG_KEY)
                return
            except redis.AuthenticationError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def _noted(settings: Settings) -> dict[str, Any]:
    return json.loads((settings.site_dir / "site.json").read_text())


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
