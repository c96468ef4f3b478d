"""Fixtures: Dave's browser behind a network whose weather a test makes, and a second Daphne of the site in front of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess

import pytest
from playwright.sync_api import TimeoutError

from tests.browser import weather as weather_
from tests.browser.conftest import CHROMIUM, LESSON, PASSWORD, screen, type_line
from tests.instance import free_port, wait_until


@pytest.fixture(scope="module")
def weather():
    with weather_.raised() as made:
        yield made


@pytest.fixture(scope="module")
def front(site, weather):
    """A second Daphne of the same site, at the near end of the wire; its address."""
    port = free_port()
    command = [*site.command("web")]
    command[command.index("-b") + 1], command[command.index("-p") + 1] = weather.site_address, str(port)
    log = (site.root / "front.log").open("ab")
    server = subprocess.Popen(command, cwd=os.getcwd(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={
        **site.environment, "BULKHEAD_ALLOWED_HOSTS": weather.site_address, "BULKHEAD_ORIGIN": ""})
    yield f"http://{weather.site_address}:{port}"
    server.kill()
    server.wait(20)


@pytest.fixture(scope="module")
def far_browser(playwright, weather, tmp_path_factory):
    wrapper = weather.wrapper(tmp_path_factory.mktemp("far"), "/usr/bin/chromium")
    browser = playwright.chromium.launch(executable_path=str(wrapper), args=CHROMIUM)
    yield browser
    browser.close()


@pytest.fixture
def dave(far_browser, front, weather):
    """Dave at a prompt, far away."""
    weather.is_cut, weather.delay_seconds, weather.loss = False, 0.0, 0.0
    context = far_browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    page = context.new_page()
    wait_until(lambda: reaches(page, front), 60, "the second Daphne")
    page.fill("input[name=login]", "dave")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(front + LESSON)
    if page.locator("[data-start]").is_visible():
        page.click("[data-start]")
    page.locator(".term:not([hidden])").wait_for()
    type_line(page, "rm -f /tmp/hup; trap 'echo hung up >> /tmp/hup' HUP; clear; echo shell-$$-begins")
    page.shell = re.search(r"shell-(\d+)-begins", wait_for_match(page, r"shell-\d+-begins"))[1]
    yield page
    weather.is_cut, weather.delay_seconds, weather.loss = False, 0.0, 0.0
    context.close()


def reaches(page, front):
    try:
        return page.goto(f"{front}/accounts/login/").status == 200
    except Exception:  # noqa: BLE001 - whatever the browser says while nobody listens yet
        return False


def wait_for_match(page, pattern, seconds=30):
    """What the shown terminal shows, once it matches."""
    try:
        page.wait_for_function("pattern => new RegExp(pattern).test(document.querySelector('.term:not([hidden]) .xterm-rows')?.innerText ?? '')",
                               arg=pattern, timeout=seconds * 1000)
    except TimeoutError:
        raise AssertionError(f"{pattern!r} is not in {screen(page)!r}") from None
    return screen(page)


def put_to_sleep(pids: list[int]) -> None:
    """As a laptop whose lid is closed: nothing runs any more."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def wake(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
