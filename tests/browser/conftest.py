"""A whole site with real sandboxes, and Debian's Chromium in front of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(PROJECT))

from tests.instance import Instance, running  # noqa: E402

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]
PASSWORD = "correct horse battery"
MAKE_USERS = f"""
from django.contrib.auth import get_user_model
for name in ("alice", "bob"):
    get_user_model().objects.create_user(name, f"{{name}}@example.test", "{PASSWORD}")
"""


@pytest.fixture(scope="session", autouse=True)
def allow_synchronous_database():
    """Playwright runs an event loop in this thread; nothing here touches Django itself."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, "executable_path": "/usr/bin/chromium", "args": CHROMIUM}


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Instance]:
    """The published course, and the labs of this folder that it has no place for."""
    content = f"{PROJECT}/labs/content,{Path(__file__).parent}/content"
    with running(tmp_path_factory.mktemp("site"), BULKHEAD_CONTENT_DIRS=content) as instance:
        instance.manage("shell", "-c", MAKE_USERS)
        yield instance


@pytest.fixture(scope="session")
def base_url(site) -> str:
    return site.url


@pytest.fixture
def alice(page, site):
    """A page on which Alice is signed in, with every error of its console collected."""
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text)
            if message.type == "error" and "Content Security Policy" in message.text else None)
    sign_in(page, site, "alice")
    yield page
    assert page.problems == []


def sign_in(page, site: Instance, name: str) -> None:
    page.goto(f"{site.url}/accounts/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("form button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)


def open_lesson(page, site: Instance, title: str) -> None:
    page.goto(site.url)
    page.get_by_role("link", name=title).first.click()


def start_sandbox(page) -> None:
    """Bring the lesson's sandbox to a prompt, whatever the page shows now."""
    if page.locator("[data-start]").is_visible():
        page.click("[data-start]")
    page.locator(".xterm-rows").first.wait_for(timeout=60_000)
    wait_for_text(page, ":~")  # of a prompt, whatever the lab calls its user and its host


def type_line(page, line: str) -> None:
    page.locator(".xterm-helper-textarea").first.focus()
    page.keyboard.type(line + "\n")


def wait_for_text(page, text: str, seconds: float = 20) -> None:
    page.wait_for_function("text => (document.querySelector('.xterm-rows')?.innerText ?? '').includes(text)",
                           arg=text, timeout=seconds * 1000)
