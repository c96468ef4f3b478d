"""Every page at three widths in both colours: accessible, within its window, quiet in the console, and light."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import LESSON, screen, start_sandbox, type_line, violations, wait_for_text

pytestmark = pytest.mark.browser
WIDTHS = (1440, 768, 390)
PAGES = [
    (None, "/"), (None, LESSON), (None, "/accounts/login/"), (None, "/accounts/signup/"), (None, "/accounts/password/reset/"),
    (None, "/accounts/password/reset/done/"), (None, "/accounts/password/reset/key/x-y/"), (None, "/accounts/inactive/"),
    (None, "/accounts/confirm-email/"), (None, "/accounts/one-time/spent/"), (None, "/no-such-page/"),
    ("bob", "/"), ("bob", "/me/"), ("bob", "/operator/"), ("bob", "/accounts/password/change/"), ("bob", "/accounts/email/"),
    ("bob", "/accounts/2fa/"), ("bob", "/accounts/reauthenticate/"), ("bob", "/accounts/logout/"),
    ("ines", "/operator/"), *((state, LESSON) for state in ("queued", "starting", "failed", "hopeless", "ended", "gone", "ending"))]
LIGHT_BYTES = 150_000


MISSING_ICONS = """async () => {
    const uses = [...document.querySelectorAll("use")].map((use) => use.getAttribute("href").split("#"));
    const sprite = uses.length ? await (await fetch(uses[0][0])).text() : "";
    return uses.filter(([, name]) => !sprite.includes(`id="${name}"`)).map(([, name]) => `icon ${name} is not drawn`);
}"""


def look(page) -> list[str]:
    """axe's findings at every width in both colours, what sticks out to the side, and icons that are only a gap."""
    found = page.evaluate(MISSING_ICONS)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{scheme} {width} {finding}" for finding in violations(page)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{scheme} {width}: something sticks out to the side")
    return found


@pytest.mark.parametrize(("who", "path"), PAGES)
def test_a_page_is_accessible_at_every_width(visit, who, path):
    page = visit(who, path)
    assert page.locator("header.site-bar").is_visible(), "in the site's own design"
    assert look(page) == []


def test_the_lesson_with_its_terminal_is_accessible(carol):
    assert look(carol) == []
    carol.set_viewport_size({"width": 390, "height": 900})
    carol.get_by_role("tab", name=re.compile("^Terminal")).click()
    carol.click("[data-term-do=settings]")
    assert look(carol) == []


def test_form_errors_stand_beside_their_fields(visit):
    page = visit(None, "/accounts/signup/")
    page.fill("[name=username]", "alice")
    page.fill("[name=password1]", "abc")
    page.fill("[name=password2]", "abd")
    page.click("main button[type=submit]")
    name = page.locator("[name=username]")
    assert name.input_value() == "alice", "nothing typed is lost"
    described = name.get_attribute("aria-describedby").split()[-1]
    assert "already exists" in page.locator(f"#{described}").inner_text()
    assert look(page) == []


def test_a_one_time_link_works_once(visit, site):
    path = re.search(r"/accounts/one-time/\S+", site.manage("signin_link", "ines"))[0]
    page = visit(None, path)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{site.url}/")
    again = visit(None, path)
    assert "no longer works" in again.locator("h1").inner_text()


def test_the_second_factor_can_be_set_up_in_our_design(visit):
    page = visit("bob", "/accounts/2fa/totp/activate/")
    if page.locator("[name=password]").is_visible():
        page.fill("[name=password]", "correct horse battery")
        page.click("main button[type=submit]")
    page.locator("img.qr").wait_for()
    page.fill("[name=code]", "000000")
    page.click("main button[type=submit]")
    page.locator("#id_code_error").wait_for()
    assert look(page) == []


def test_without_javascript_everything_but_the_terminal_works(visit):
    page = visit("bob", LESSON, java_script_enabled=False)
    assert page.locator("#session-state").is_visible()
    hint = page.locator("[data-step=kernel] .hint-ask button")
    if hint.count():
        hint.first.click()
    assert page.locator("[data-step=kernel] .hint-text").first.is_visible()
    page.locator("#predict-term-first input[type=radio]").first.check()
    page.locator("#predict-term-first button").click()
    assert page.locator("#predict-term-first .verdict").is_visible()


def test_a_printed_lesson_is_the_lesson_alone(visit):
    page = visit(None, LESSON)
    page.emulate_media(media="print")
    assert page.locator("h1").is_visible()
    for gone in (".site-bar", "#bench", ".pane-tabs", ".next-task", ".code-bar button"):
        assert page.locator(gone).first.is_hidden() or not page.locator(gone).count()
    page.set_viewport_size({"width": 700, "height": 900})
    assert page.evaluate("document.documentElement.scrollHeight > 3000"), "all of it, not one screen"


@pytest.mark.parametrize("path", ["/", "/accounts/login/", LESSON])
def test_a_page_is_light_before_its_terminal_and_nothing_moves(visit, path):
    """Weighed as it travels: with the compression the site itself offers."""
    page = visit(None, "/healthz")
    page.add_init_script("""window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(entry => { shift += entry.value; }))
        .observe({ type: "layout-shift", buffered: true });""")
    page.goto(page.url.replace("/healthz", path), wait_until="networkidle")
    sizes = page.evaluate("""() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
        .filter(({ name }) => !/lab\\.(\\w+\\.)?(js|css)/.test(name)).map(({ name, transferSize }) => [name, transferSize])""")
    total = sum(size for _, size in sizes)
    assert 40_000 < total < LIGHT_BYTES, sizes
    assert page.evaluate("shift") < 0.01


def test_the_main_way_needs_no_mouse(visit, site):
    """Sign in, open the lesson, start, type, leave the terminal, run a block: by keys alone."""
    page = visit(None, "/accounts/login/")
    for key in ("bob", "correct horse battery"):
        page.keyboard.press("Tab") if not page.evaluate("document.activeElement.matches('main input')") else None
        tab_to(page, "main input:not([type=hidden])" if key == "bob" else "[name=password]")
        page.keyboard.type(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/")
    tab_to(page, "a[href$='/a-container-is-a-process/']")
    page.keyboard.press("Enter")
    page.locator("[data-lesson]").wait_for()
    tab_to(page, "[data-start], [data-start-over]", backwards=True)
    page.keyboard.press("Enter")
    wait_for_text(page, "root@host", 60)
    page.wait_for_function("() => document.activeElement.matches('.xterm-helper-textarea')")
    page.keyboard.type("echo keys-$((30+3))\n")
    wait_for_text(page, "keys-33")
    page.keyboard.press("Control+Shift+F6")
    assert page.evaluate("document.activeElement.id") == "lesson"
    page.keyboard.press("?")
    assert page.locator("#shortcuts").is_visible()
    page.keyboard.press("Escape")
    tab_to(page, "[data-run]")
    page.keyboard.press("Enter")
    wait_for_text(page, "config.json")
    page.keyboard.press("Control+Shift+F6")
    page.keyboard.press("t")
    page.keyboard.type("clear; echo again-$((20+2))\n")
    wait_for_text(page, "again-22")
    assert "again-22" in screen(page)


def tab_to(page, selector, backwards=False):
    """Press Tab until the focus is there; where it is on the way must be visible."""
    for _ in range(120):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"no way to {selector} by Tab")


def test_the_longest_names_fit(visit, site):
    site.manage("shell", "-c", LONG_NAMES)
    page = visit("w" * 60, "/me/")
    assert look(page) == []
    page = visit("w" * 60, LESSON)
    start_sandbox(page)
    type_line(page, "hostname " + "x" * 60)
    assert look(page) == []


LONG_NAMES = """
from django.contrib.auth import get_user_model
get_user_model().objects.create_user("w" * 60, ("x" * 50) + "@example.test", "correct horse battery")
"""
