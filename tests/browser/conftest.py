"""A whole site with real sandboxes, and Debian's Chromium in front of it.

One browser and one site serve all tests. Everybody signs in once; a test gets pages of its own in which they are signed in.
Whatever a page's console complains about fails the test that opened it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, TimeoutError

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(PROJECT))

from tests.instance import CACHE, Instance, running  # noqa: E402

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]
AXE = "node_modules/axe-core/axe.min.js"
RULES = "axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
PASSWORD = "correct horse battery"
LESSON = "/learn/virtualization-and-containers/containers/a-container-is-a-process/"
MAKE_USERS = (Path(__file__).parent / "make_users.py").read_text()
VIOLATIONS = """addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) =>
    console.error("Content Security Policy", violatedDirective, blockedURI, sourceFile, lineNumber));"""
EXPECTED = ("the server responded with a status of 4", "the server responded with a status of 502", "net::ERR_",
            "WebSocket connection to", "An iframe which has both allow-scripts and allow-same-origin",
            "task queue exceeded allotted deadline")
"""What the browser itself writes when a page is refused (a file of ours that is not there is told apart) or a process is away, that a preview may use its own origin, and
that the machine is busy (xterm.js)."""


def pytest_addoption(parser):
    parser.addoption("--long-cut", action="store_true", help="cut the network for ten minutes too")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What the site's processes logged last stands below a failure: the page alone seldom says why."""
    outcome = yield
    site = item.funcargs.get("site")
    if outcome.get_result().failed and site:
        for name in ("web", "worker", "control", "bridge"):
            outcome.get_result().sections.append((f"end of {name}.log", site.log(name)))


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
    with running(tmp_path_factory.mktemp("site"), BULKHEAD_CONTENT_DIRS=content,
                 BULKHEAD_SESSIONS_MAXIMUM="8", BULKHEAD_CAPACITY="12") as instance:
        instance.manage("shell", "-c", MAKE_USERS)
        yield instance


@pytest.fixture(scope="session")
def signed_in(browser: Browser, site: Instance) -> Callable[[str], dict]:
    """The cookies of a user; the first call signs them in through the page."""
    known: dict[str, dict] = {}

    def cookies(name: str) -> dict:
        if name not in known:
            context = browser.new_context()
            sign_in(context.new_page(), site, name)
            known[name] = context.storage_state()
            context.close()
        return known[name]
    return cookies


@pytest.fixture
def visit(browser: Browser, site: Instance, signed_in) -> Iterator[Callable[..., Page]]:
    """``visit(name or None, path, **context options)``: a page of that person, in a context of its own."""
    contexts, problems = [], []

    def open_page(name: str | None, path: str = "/", **options) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options},
                                      storage_state=signed_in(name) if name else None)
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.add_init_script(VIOLATIONS)
        context.on("page", lambda page: watch(page, problems))
        page = context.new_page()
        page.goto(site.url + path)
        return page
    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def watch(page: Page, problems: list[str]) -> None:
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on("console", lambda message: problems.append(f"{page.url}: {message.text}")
            if message.type in ("error", "warning") and not any(text in message.text for text in EXPECTED) else None)
    page.on("response", lambda answer: problems.append(f"{page.url}: {answer.url} is not there")
            if answer.status == 404 and answer.url.startswith(urljoin(page.url, "/static/")) else None)


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args, signed_in) -> dict:
    """The plugin's own ``page`` is Alice's."""
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}, "storage_state": signed_in("alice")}


@pytest.fixture
def alice(context, page: Page, site: Instance) -> Iterator[Page]:
    """Alice's page, signed in, on the course's home."""
    context.add_init_script(VIOLATIONS)
    page.problems = []
    watch(page, page.problems)
    page.goto(site.url)
    yield page
    assert page.problems == []


@pytest.fixture
def carol(visit) -> Page:
    """Carol on the first lesson, at a prompt."""
    page = visit("carol", LESSON)
    start_sandbox(page)
    return page


def sign_in(page: Page, site: Instance, name: str) -> None:
    page.goto(f"{site.url}/accounts/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)


def open_lesson(page: Page, site: Instance, title: str) -> None:
    page.goto(site.url)
    page.get_by_role("link", name=title).first.click()


def start_sandbox(page: Page) -> None:
    """Bring the lesson's sandbox to a prompt, whatever the page shows now."""
    for button in ("[data-start]", "[data-start-over]"):
        if page.locator(button).is_visible():
            page.click(button)
            break
    wait_for_text(page, ":~", 60)  # of a prompt, whatever the lab calls its user and its host


def end_sandbox(page: Page) -> None:
    page.click("[data-end-ways] summary")
    page.click("[data-end]")
    page.locator("[data-resume]").wait_for(timeout=60_000)


def screen(page: Page) -> str:
    """What the shown terminal shows."""
    return page.evaluate("document.querySelector('.term:not([hidden]) .xterm-rows')?.innerText ?? ''")


def focus_terminal(page: Page) -> None:
    page.locator(".term:not([hidden]) .xterm-helper-textarea").focus()


def type_line(page: Page, line: str) -> None:
    focus_terminal(page)
    page.keyboard.type(line + "\n")


def wait_for_text(page: Page, text: str, seconds: float = 20) -> None:
    try:
        page.wait_for_function(
            "text => (document.querySelector('.term:not([hidden]) .xterm-rows')?.innerText ?? '').includes(text)",
            arg=text, timeout=seconds * 1000)
    except TimeoutError:
        raise AssertionError(f"{text!r} is not in {screen(page)!r}") from None


def violations(page: Page, site: Instance | None = None) -> list[str]:
    """axe's findings for WCAG 2.2 A and AA, one line each. It is injected by the debugger, past the page's policy."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe() + "; undefined")
    return [f"{rule['id']}: {node['target']} {node['failureSummary'][:200]}"
            for rule in page.evaluate(RULES)["violations"] for node in rule["nodes"]]


@functools.cache
def _axe() -> str:
    for folder in (CACHE / "build", PROJECT):
        if (folder / AXE).exists():
            return (folder / AXE).read_text()
    raise FileNotFoundError(f"{AXE}: npm ci brings it")
