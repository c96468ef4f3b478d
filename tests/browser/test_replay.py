"""A terminal is recorded, played again in the page, read as text, and goes with the files."""

import json

import pytest

from tests.browser.conftest import LESSON, end_sandbox, screen, start_sandbox, type_line, violations, wait_for_text

pytestmark = pytest.mark.browser


@pytest.fixture
def erin(visit):
    page = visit("erin", LESSON)
    start_sandbox(page)
    return page


def open_replay(page):
    page.click("[data-term-do=settings]")
    page.click("[data-term-replay]")
    page.wait_for_url("**/replay/")


def recorded(page, text):
    """The file, once ``text`` is in it: the worker writes every two seconds."""
    for _ in range(100):
        href = page.locator("[data-film]").get_attribute("data-film")
        file = page.request.get(page.url.split("/sessions/")[0] + href).text()
        if text in file:
            return [json.loads(line) for line in file.splitlines()]
        page.wait_for_timeout(200)
    raise AssertionError(f"{text!r} is not in {file[-500:]!r}")


def test_what_a_terminal_printed_is_played_and_read_again(erin, site):
    assert "never your keys" in erin.locator("[data-term-settings]").text_content()
    type_line(erin, "read -rs secret; echo length-${#secret}")
    erin.keyboard.type("not-to-be-recorded\n")
    wait_for_text(erin, "length-18")
    type_line(erin, "echo played-$((3*3)); (exit 3)")
    wait_for_text(erin, "played-9")
    open_replay(erin)
    header, *events = recorded(erin, "played-9")
    assert header["version"] == 2
    assert {event[1] for event in events} <= {"o", "r", "m"}
    assert "not-to-be-recorded" not in json.dumps(events)
    erin.reload()
    assert violations(erin, site) == []
    erin.locator(".ap-player").wait_for()
    erin.locator(".film .ap-wrapper").focus()
    erin.keyboard.press("Space")
    erin.wait_for_function("() => document.querySelector('.film').innerText.includes('played-9')", timeout=60_000)
    erin.get_by_role("link", name="Read the transcript").click()
    heading = erin.locator("h2", has_text="echo played-$((3*3)); (exit 3)")
    assert "status 3" in heading.inner_text()
    assert erin.locator(".transcript-block", has=heading).locator("pre").inner_text() == "played-9"
    assert violations(erin, site) == []
    with erin.expect_download() as download:
        erin.get_by_role("link", name="Download as plain text").click()
    with open(download.value.path()) as file:
        text = file.read()
    assert "$ echo played-$((3*3)); (exit 3)\nplayed-9\n[status 3]\n" in text
    assert "\x1b" not in text


def test_bob_finds_no_recording_of_erin_s(erin, visit):
    open_replay(erin)
    recorded(erin, "root@host")
    bob = visit("bob")
    film = erin.locator("[data-film]").get_attribute("data-film")
    base = erin.url.split("/sessions/")[0]
    for address in (erin.url, base + film, base + film.replace(".cast", "/"), base + film.replace(".cast", ".txt")):
        assert bob.request.get(address).status == 404


def test_the_bridge_may_die_and_the_recording_goes_on(erin, site):
    type_line(erin, "echo before-$((1+1))")
    wait_for_text(erin, "before-2")
    site.kill("bridge")
    site.start("bridge")
    type_line(erin, "echo behind-$((2+2))")
    wait_for_text(erin, "behind-4")
    open_replay(erin)
    file = json.dumps(recorded(erin, "behind-4"))
    assert (file.count("before-2"), file.count("behind-4")) == (1, 1)


def test_recordings_are_kept_and_go_with_the_files(erin, site):
    end_sandbox(erin)
    erin.get_by_role("link", name="Replay your terminals").click()
    erin.locator(".ap-player").wait_for()
    address = erin.url
    erin.goto(site.url + LESSON)
    erin.click("[data-resume]")
    wait_for_text(erin, ":~", 60)
    assert screen(erin)
    erin.click("[data-end-ways] summary")
    erin.click("[data-throw-away]")
    erin.get_by_role("button", name="Undo: keep the files").wait_for(timeout=60_000)
    assert erin.request.get(address).status == 200
    erin.goto(f"{site.url}/me/")
    erin.once("dialog", lambda dialog: dialog.accept())
    erin.locator("table.kept tr", has_text="A container is").get_by_role("button", name="Delete").click()
    erin.wait_for_load_state()
    erin.goto(address)
    erin.get_by_text("No recordings").wait_for()
