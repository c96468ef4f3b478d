"""The terminal in the browser: size, tabs, floods, clipboard, search, settings, and what a phone needs."""

import re
import time

import pytest

from tests.browser.conftest import LESSON, focus_terminal, screen, start_sandbox, type_line, wait_for_text

pytestmark = pytest.mark.browser
COUNT_OUTPUT = """window.received = window.skipped = 0;
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return;
      const kind = new DataView(data).getUint8(0);
      if (kind === 0x81 || kind === 0x85) window.received += data.byteLength - 9;
      if (kind === 0x86) window.skipped += 1;
    });
  }
};"""
"""Counts what the bridge sends to the page: bytes of output, and how often it had to leave some out."""


def size_inside(page, mark):
    type_line(page, f"clear; stty size; echo {mark}-$((1+1))")
    wait_for_text(page, f"{mark}-2")
    return tuple(int(number) for number in re.search(r"(\d+) (\d+)\n", screen(page)).groups())


def shell_prompt(page):
    focus_terminal(page)
    page.keyboard.press("Control+c")
    type_line(page, "clear; echo at-$((3+4))-prompt")
    wait_for_text(page, "at-7-prompt")


def test_the_window_s_size_is_the_terminal_s(carol):
    wide = size_inside(carol, "wide")
    carol.set_viewport_size({"width": 1000, "height": 600})
    carol.wait_for_timeout(300)  # a resize is sent when the window has come to rest
    small = size_inside(carol, "small")
    assert small[0] < wide[0] and small[1] < wide[1]
    carol.locator("[data-splitter]").press("ArrowRight")
    carol.locator("[data-splitter]").press("ArrowRight")
    carol.wait_for_timeout(300)
    assert size_inside(carol, "narrow")[1] < small[1]


def test_two_browser_tabs_show_one_terminal_and_the_one_in_use_has_its_size(carol, visit):
    other = visit("carol", LESSON, viewport={"width": 1000, "height": 700})
    wait_for_text(other, "root@host")
    type_line(carol, "clear; echo from-$((10+1))-one")
    wait_for_text(other, "from-11-one")
    type_line(other, "echo from-$((20+2))-two")
    wait_for_text(carol, "from-22-two")
    other_size = size_inside(other, "other")
    carol.evaluate("dispatchEvent(new Event('focus'))")
    carol.wait_for_timeout(300)
    assert size_inside(carol, "first")[1] > other_size[1]


def test_of_two_browser_tabs_only_the_one_in_use_answers_a_program_s_question(carol, visit):
    other = visit("carol", LESSON)
    wait_for_text(other, "root@host")
    type_line(carol, "clear; printf '\\033[c'; IFS= read -rs -d c answer; echo answer-${#answer}")
    for page in (carol, other):
        wait_for_text(page, "answer-6")
    type_line(carol, "echo typed-$((40+2))")
    for page in (carol, other):
        wait_for_text(page, "typed-42")
        assert "1;2c" not in page.evaluate("document.querySelector('.term:not([hidden]) .xterm-rows').innerText")


def test_terminals_open_in_tabs_and_close_with_what_runs_in_them(carol):
    tabs = carol.locator(".term-tab [role=tab]")
    assert tabs.first.inner_text() == "Host", "the lab names its terminal"
    before = tabs.count()
    carol.click("[data-term-new]")
    tabs.nth(before).wait_for()
    wait_for_text(carol, "root@host", 30)
    type_line(carol, "sleep 4242")
    wait_for_text(carol, "sleep 4242")
    carol.locator(".term-tab:has([aria-selected=true]) .close").click()
    assert tabs.count() == before
    type_line(carol, "clear; until ! pgrep -f 'sleep 424[2]'; do sleep .2; done; echo gone-$((5+5))")
    wait_for_text(carol, "gone-10")
    tabs.first.focus()
    carol.keyboard.press("End")
    assert tabs.last.get_attribute("aria-selected") == "true"


def test_a_shell_that_ended_says_so_and_a_new_one_is_one_click_away(carol):
    shown = carol.locator(".term-tab [aria-selected=true]").inner_text()
    type_line(carol, "exit 3")
    carol.locator("[data-banner-new]").wait_for()
    assert "status 3" in carol.locator("[data-banner-text]").inner_text()
    carol.click("[data-banner-new]")
    carol.wait_for_function("() => !document.querySelector('.term-tab:has([aria-selected=true]).closed')")
    assert carol.locator(".term-tab [aria-selected=true]").inner_text() == shown, "under the name it had"
    wait_for_text(carol, "root@host", 30)
    shell_prompt(carol)


@pytest.mark.parametrize("flood", ["yes flood", "cat /bin/bash /usr/bin/jq /bin/bash", "while :; do seq 100000; done"])
def test_ctrl_c_answers_within_a_second_under_a_flood(carol, flood):
    type_line(carol, flood)
    carol.wait_for_timeout(4000)
    assert carol.evaluate("1 + 1") == 2
    before = carol.evaluate("performance.now()")
    carol.keyboard.press("Control+c")
    carol.keyboard.type("\nreset; clear; echo after-$((1+1))\n")
    wait_for_text(carol, "after-2", seconds=8)
    answered_ms = carol.evaluate("performance.now()") - before
    carol.keyboard.type("clear\n")
    # reset(1) itself waits a second for the terminal to settle.
    assert answered_ms < 2500, f"{answered_ms:.0f} ms"


def test_fifty_megabytes_arrive_whole_and_the_tab_stays_small(visit):
    page = visit("carol")
    page.add_init_script(COUNT_OUTPUT)
    page.goto(page.url.rstrip("/") + LESSON)
    start_sandbox(page)
    last = 6_800_000
    expected = sum(len(str(number)) + 2 for number in range(1, last + 1))  # the line discipline writes CR LF
    before = page.evaluate("received")
    type_line(page, f"seq {last}; echo whole-$((6+6))")
    wait_for_text(page, "whole-12", seconds=120)
    assert expected < page.evaluate("received") - before < expected + 1000
    assert page.evaluate("skipped") == 0
    assert page.evaluate("performance.memory.usedJSHeapSize") < 150e6


def test_copy_says_what_it_did_and_pastes_back(visit):
    page = visit("carol", LESSON, permissions=["clipboard-read", "clipboard-write"])
    start_sandbox(page)
    page.click("[data-term-do=copy]")
    assert "Nothing is selected" in page.locator("[data-term-said]").inner_text()
    type_line(page, "clear; echo copied-$((7*11))")
    wait_for_text(page, "copied-77")
    box = page.locator(".term:not([hidden]) .xterm-rows").get_by_text("copied-77").first.bounding_box()
    page.mouse.dblclick(box["x"] + 8, box["y"] + 8)
    focus_terminal(page)
    page.keyboard.press("Control+Shift+C")
    page.wait_for_function("() => document.querySelector('[data-term-said]').textContent === 'Copied'")
    type_line(page, "clear")
    page.keyboard.type("echo 'again ")
    page.click("[data-term-do=paste]")
    wait_for_text(page, "echo 'again copied-77")  # reading the clipboard takes its time; the keys must find the terminal
    focus_terminal(page)
    page.keyboard.type("'\n")
    wait_for_text(page, "\nagain copied-77")
    page.keyboard.type("echo ")
    page.keyboard.press("Control+Shift+V")
    wait_for_text(page, "echo copied-77")
    page.keyboard.press("Enter")


def test_search_counts_and_says_when_there_is_nothing(carol):
    type_line(carol, "clear; printf 'needle\\n%.0s' 1 2 3")
    wait_for_text(carol, "needle\nneedle\nneedle")
    focus_terminal(carol)
    carol.keyboard.press("Control+Shift+F")
    carol.keyboard.type("needle")
    carol.wait_for_function("() => /^\\d of [34]$/.test(document.querySelector('[data-find-count]').textContent)")
    carol.keyboard.type("xyz")
    carol.wait_for_function("() => document.querySelector('[data-find-count]').textContent === 'Not found'")
    carol.keyboard.press("Escape")
    assert carol.evaluate("document.activeElement.className").startswith("xterm")


def test_settings_change_the_terminal_and_are_remembered(carol):
    columns = size_inside(carol, "before")[1]
    carol.click("[data-term-do=settings]")
    for _ in range(4):
        carol.click("[data-larger]")
    carol.select_option("#terminal-theme", "contrast")
    carol.check("#terminal-reader")
    assert carol.locator(".term:not([hidden]) .xterm-accessibility").count() == 1
    carol.keyboard.press("Escape")
    carol.wait_for_timeout(300)
    assert size_inside(carol, "after")[1] < columns
    carol.reload()
    wait_for_text(carol, "root@host")
    assert carol.evaluate("getComputedStyle(document.querySelector('.terminals')).backgroundColor") == "rgb(0, 0, 0)"
    assert carol.locator(".term:not([hidden]) .xterm-accessibility").count() == 1


def test_a_page_that_shows_all_there_is_fetches_nothing_anew(carol):
    said, asked = [], []
    carol.on("websocket", lambda socket: socket.on("framereceived", lambda frame: said.append(str(frame))))
    carol.on("request", lambda request: asked.append(request.url))
    carol.reload()
    wait_for_text(carol, "root@host")
    deadline = time.monotonic() + 20
    while not any('"stand"' in frame for frame in said):
        assert time.monotonic() < deadline, "the socket has not said how the session stands"
        carol.wait_for_timeout(20)
    carol.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert [url for url in asked if url.partition("?")[0] == carol.url] == [carol.url], "the page itself, once"


def test_true_colours_pass_the_policy(carol):
    type_line(carol, "clear; printf '\\e[38;2;10;120;10mgreen\\e[0m\\n'")
    wait_for_text(carol, "green\n")
    colour = carol.evaluate("""[...document.querySelectorAll('.xterm-rows span')].filter(one => one.textContent === 'green')
        .map(one => getComputedStyle(one).color).at(-1)""")
    assert colour == "rgb(10, 120, 10)"


def test_the_transcript_holds_what_was_printed(carol):
    type_line(carol, "clear; echo transcribed-$((8*9))")
    wait_for_text(carol, "transcribed-72")
    carol.click("[data-term-do=settings]")
    with carol.expect_download() as download:
        carol.click("[data-term-transcript]")
    assert download.value.suggested_filename == "a-container-is-a-process-1.txt"
    assert "transcribed-72" in download.value.path().read_text()


def test_the_page_s_colours_are_the_terminal_s(carol):
    carol.emulate_media(color_scheme="dark")
    ground = "ground => getComputedStyle(document.querySelector('.terminals')).backgroundColor === ground"
    carol.wait_for_function(ground, arg="rgb(28, 32, 36)")
    carol.emulate_media(color_scheme="light")
    carol.wait_for_function(ground, arg="rgb(255, 254, 251)")


def test_a_phone_has_the_keys_it_lacks(visit):
    page = visit("carol", LESSON, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page.get_by_role("tab", name=re.compile("^Terminal")).tap()
    start_sandbox(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".term:not([hidden]) .screen").tap()
    page.keyboard.type("sleep 1000\n")
    wait_for_text(page, "sleep 1000")
    page.locator("[data-modifier=ctrl]").tap()
    page.keyboard.type("c")
    page.keyboard.type("clear; echo phone-$((2+3))\n")
    wait_for_text(page, "phone-5")
    page.locator("[data-arrow=A]").tap()
    page.keyboard.type("\n")
    page.get_by_role("tab", name=re.compile("^Lesson")).tap()
    run = page.locator("[data-run]").first
    run.scroll_into_view_if_needed()
    run.tap()
    wait_for_text(page, "config.json")
    assert page.locator("#bench").is_visible(), "a click on Run shows where it is typed"
