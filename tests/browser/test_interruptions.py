"""kill -9 of each process while somebody works, and who may see a session at all."""

import re
import time

import pytest

from tests.browser.conftest import LESSON, type_line, wait_for_text

pytestmark = pytest.mark.browser
BACK_WITHIN_SECONDS = 5


@pytest.mark.parametrize("process", ["bridge", "control", "web", "redis"])
def test_the_terminal_is_back_with_what_was_printed_meanwhile(carol, site, process):
    type_line(carol, f"clear; (sleep 1; echo printed-$((50+5))-{process}) &")
    wait_for_text(carol, "[1]")
    site.kill(process)
    time.sleep(1.2)  # what is printed now is printed while the process is away
    site.start(process)
    started = time.monotonic()
    wait_for_text(carol, f"printed-55-{process}")
    type_line(carol, f"echo typed-$((60+6))-{process}")
    wait_for_text(carol, f"typed-66-{process}")
    assert time.monotonic() - started < BACK_WITHIN_SECONDS
    assert carol.locator("[data-banner]").is_hidden()


def test_keys_typed_while_the_site_is_away_arrive_once(carol, site):
    type_line(carol, "clear")
    site.kill("web")
    try:
        carol.locator("[data-banner]:not([hidden])").wait_for()
        assert "your programs go on" in carol.locator("[data-banner-text]").inner_text()
        type_line(carol, "echo once-$((4*4))")
    finally:
        site.start("web")
    wait_for_text(carol, "once-16")
    type_line(carol, "echo count-$(history | grep -c 'echo once')")
    wait_for_text(carol, "count-2")  # the line itself, and this one that looks for it


def test_a_strangers_session_does_not_exist(carol, visit, site):
    session = carol.locator("#session-state").get_attribute("data-session")
    assert re.fullmatch(r"[0-9a-f-]{36}", session)
    bob = visit("bob", LESSON)
    assert bob.request.get(f"{site.url}/sessions/{session}/").status == 404
    for place in (f"sessions/{session}/", f"sessions/{session}/terminals/0/"):
        code = bob.evaluate("url => new Promise(done => { new WebSocket(url).onclose = ({ code }) => done(code); })",
                            f"{site.url.replace('http', 'ws')}/ws/{place}")
        assert code == 4404


def test_who_is_signed_out_is_told_so_at_the_terminal(visit, site):
    page = visit(None)
    code = page.evaluate("url => new Promise(done => { new WebSocket(url).onclose = ({ code }) => done(code); })",
                         f"{site.url.replace('http', 'ws')}/ws/sessions/00000000-0000-4000-8000-000000000000/terminals/0/")
    assert code == 4401
