"""A student that is a program: every few minutes it opens a lesson, starts its lab, types into the terminal and leaves.

It goes the way of a browser, through the proxy if so told: HTTP and a WebSocket with the cookies of an account of its own that
nobody can sign in to. So it sees what breaks between the parts, before a student does. It takes one place for some seconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from socket import create_connection
from typing import Any
from urllib import error, parse, request

import redis
from django.conf import settings
from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from labs.models import LabSession, Lesson
from labs.sight import counters
from runtime_agent import protocol
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame

KEY = "bulkhead:synthetic"
USERNAME = "synthetic-student"
STEPS = ("page", "start", "terminal", "end")
STEP_SECONDS = 60.0
TYPED, ANSWER = b"echo bulk$((40+2))head\r", b"bulk42head"
"""The answer is not what was typed: an echo alone proves no shell."""


class Failed(Exception):
    """A step did not come to its end; the text says what was seen instead."""


def walk() -> dict[str, Any]:
    """Once through all steps; the result, which is also kept: {"at", "ok", "failed", "why", "seconds": {step: seconds}}."""
    result: dict[str, Any] = {"at": time.time(), "ok": False, "failed": "", "why": "", "seconds": {}}
    lesson = chosen()
    if lesson is None:
        result.update(failed="page", why="no lesson with a lab is published")
        return keep(result)
    visitor = Visitor(lesson)
    try:
        for step in STEPS:
            began, result["failed"] = time.monotonic(), step
            getattr(visitor, step)()
            result["seconds"][step] = round(time.monotonic() - began, 3)
        result.update(ok=True, failed="")
    except (Failed, OSError, ValueError, WebSocketException) as problem:
        result["why"] = str(problem)[:300] or type(problem).__name__
        visitor.leave()
    return keep(result)


def keep(result: dict[str, Any]) -> dict[str, Any]:
    counters.add(counters.WALKS, "passed" if result["ok"] else "failed")
    try:
        counters.bus().set(KEY, json.dumps(result))
    except redis.RedisError as problem:
        result.update(ok=False, why=result["why"] or f"Redis: {problem}")
    return result


def last() -> dict[str, Any] | None:
    """The last walk's result; None before the first. Raises redis.RedisError."""
    kept = counters.bus().get(KEY)
    return json.loads(kept) if kept else None


def chosen() -> Lesson | None:
    """The lesson of the setting, ``module/lesson``, else the first with a lab."""
    lessons = Lesson.objects.exclude(lab_digest="").order_by("module__course__position", "module__position", "position")
    if settings.SYNTHETIC_LESSON:
        module, _, slug = settings.SYNTHETIC_LESSON.partition("/")
        lessons = lessons.filter(module__slug=module, slug=slug)
    return lessons.select_related("module__course").first()


class Visitor:
    """The synthetic student's browser. ``settings.SYNTHETIC_URL`` is where it connects to; the site takes it for ORIGIN."""

    def __init__(self, lesson: Lesson):
        self.path = lesson.get_absolute_url()
        self.url = (settings.SYNTHETIC_URL or settings.ORIGIN).rstrip("/")
        self.origin = settings.ORIGIN or self.url
        self.cookies = {settings.SESSION_COOKIE_NAME: sign_in()}
        self.session = ""

    def page(self) -> None:
        if "csrfmiddlewaretoken" not in self.fetch(self.path):
            raise Failed("the lesson's page has no form")

    def start(self) -> None:
        self.fetch(f"{self.path}sessions/", form={})
        found = LabSession.objects.filter(user__username=USERNAME, state__in=LabSession.ACTIVE).first()
        if found is None:
            raise Failed("no session was made")
        self.session = str(found.id)
        self.wait_for("ready")

    def terminal(self) -> None:
        """Type a line, and wait for what only a shell can answer."""
        to, headers = parse.urlsplit(self.url), self.headers()
        line = create_connection((to.hostname, to.port or (443 if to.scheme == "https" else 80)), timeout=STEP_SECONDS)
        address = f"ws{to.scheme.removeprefix('http')}://{headers.pop('Host')}/ws/sessions/{self.session}/terminals/0/"
        with connect(address, sock=line, additional_headers=headers, origin=self.origin, compression=None,
                     open_timeout=STEP_SECONDS) as socket:
            socket.send(terminal_codec.encode(Frame.HELLO, protocol.VERSION, 0, int.from_bytes(os.urandom(8)),
                                              terminal_codec.FROM_RING_START, 24, 80))
            seen, deadline = b"", time.monotonic() + STEP_SECONDS
            while ANSWER not in seen:
                kind, _fields, body = terminal_codec.decode(socket.recv(timeout=max(deadline - time.monotonic(), 0.01)))
                if kind in (Frame.OUTPUT, Frame.REPLAY):
                    seen += body
                elif kind is Frame.WELCOME:  # from now on somebody reads what is typed
                    socket.send(terminal_codec.encode(Frame.INPUT, 0, data=TYPED))

    def end(self) -> None:
        self.fetch(f"/sessions/{self.session}/end/", form={"files": "throw-away"})
        self.wait_for("ended")

    def leave(self) -> None:
        """After a step that failed: give the place back as well as may be."""
        try:
            if self.session:
                self.fetch(f"/sessions/{self.session}/end/", form={"files": "throw-away"})
        except (Failed, OSError):
            return  # the timers end what nobody looks at

    def wait_for(self, state: str) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while (found := json.loads(self.fetch(f"/sessions/{self.session}/")))["state"] != state:
            if found["state"] == "failed" or time.monotonic() > deadline:
                raise Failed(f"the sandbox is {found['state']} {found['reason']}".strip())
            time.sleep(0.1)

    def headers(self) -> dict[str, str]:
        """As a proxy passes a browser's request on."""
        return {"Host": parse.urlsplit(self.origin).netloc, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
                "X-Forwarded-Proto": parse.urlsplit(self.origin).scheme}

    def fetch(self, path: str, form: dict[str, str] | None = None) -> str:
        """GET, or POST a form. Raises Failed with the status of a refusal."""
        body, headers = None, {**self.headers(), "Accept": "text/html, application/json;q=0.9"}
        if form is not None:
            token = self.cookies.get(settings.CSRF_COOKIE_NAME, "")
            body = parse.urlencode({**form, "csrfmiddlewaretoken": token}).encode()
            headers |= {"Origin": self.origin, "Referer": self.origin + "/"}
        asked = request.Request(self.url + path, body, headers)  # noqa: S310  (the operator's own address)
        try:
            with OPENER.open(asked, timeout=STEP_SECONDS) as answer:
                self._note_cookies(answer.headers)
                return answer.read().decode()
        except error.HTTPError as refusal:
            if refusal.code in (301, 302, 303):
                self._note_cookies(refusal.headers)
                return ""
            raise Failed(f"{'GET' if body is None else 'POST'} {path} answered {refusal.code}") from None

    def _note_cookies(self, headers: Any) -> None:
        for line in headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}


class _Stay(request.HTTPRedirectHandler):
    """A redirect is an answer: where it leads to may be a name that only browsers know."""

    def redirect_request(self, *_arguments: Any) -> Callable[..., Any] | None:
        return None


OPENER = request.build_opener(_Stay)


def sign_in() -> str:
    """The key of a session of the synthetic student; the account is made when it is first needed, without a password."""
    user, is_new = auth.get_user_model().objects.get_or_create(username=USERNAME)
    if is_new:
        user.set_unusable_password()
        user.save()
    store = SessionStore()
    store[auth.SESSION_KEY], store[auth.HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store.set_expiry(15 * 60)
    store.save()
    return store.session_key
