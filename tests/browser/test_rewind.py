"""Starting one step over, and what is kept of an ended sandbox, in the real browser on real sandboxes."""

import pytest

from tests.browser.conftest import open_lesson, type_line, wait_for_text

pytestmark = pytest.mark.browser
LESSON = "a host name for some"
FIRST, SECOND = "own", "rename"


def begin(page, site) -> None:
    open_lesson(page, site, LESSON)
    page.click("[data-start], [data-start-over]")
    page.locator("#session-state[data-state=ready]").wait_for(state="attached", timeout=60_000)
    wait_for_text(page, "root@host")


def start_over(page, step: str):
    return page.locator(f"#tools-{step}").get_by_role("button", name="Start this step over")


def test_a_step_is_started_over_in_one_click_without_leaving_the_page(alice, site):
    alice.on("dialog", lambda dialog: dialog.accept())
    begin(alice, site)
    assert start_over(alice, FIRST).is_visible()
    assert not start_over(alice, SECOND).is_visible()
    type_line(alice, "echo 1 >/root/one; unshare --uts sleep 3000 &")
    start_over(alice, SECOND).wait_for(timeout=20_000)
    type_line(alice, "echo 2 >/root/two")
    alice.evaluate("window.isTheSamePage = true")
    start_over(alice, SECOND).click()
    alice.locator("#session-state:not([data-state=ready])").wait_for(state="attached")
    alice.locator("#session-state[data-state=ready]").wait_for(state="attached", timeout=60_000)
    wait_for_text(alice, "root@host")
    type_line(alice, "ls /root; echo listed-$((3+4))")
    wait_for_text(alice, "listed-7")
    screen = alice.locator(".xterm-rows").first.inner_text()
    assert "one" in screen
    assert "two" not in screen
    assert alice.locator("#task-own-uts").get_attribute("data-state") == "passed"
    assert alice.evaluate("window.isTheSamePage")


def test_a_kept_sandbox_is_listed_and_deleted_after_one_question(alice, site):
    asked = []
    alice.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    open_lesson(alice, site, LESSON)
    if alice.locator("[data-resume]").is_visible():
        alice.click("[data-resume]")
    alice.locator("#session-state[data-state=ready]").wait_for(state="attached", timeout=60_000)
    alice.click("[data-end-ways] summary")
    alice.click("[data-end]")
    alice.locator("#session-state[data-state=ended]").wait_for(timeout=30_000)
    alice.goto(f"{site.url}/me/")
    row = alice.locator("table.kept tbody tr", has_text=LESSON)
    assert "KiB" in row.inner_text()
    row.get_by_role("button", name="Delete").click()
    row.wait_for(state="detached")
    assert len(asked) == 1
    assert "can not be brought back" in asked[-1]
