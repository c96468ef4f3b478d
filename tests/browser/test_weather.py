"""The terminal over a bad network: cut, slow and lossy, or behind a laptop that slept. Nothing is lost, nothing comes twice.

``--long-cut`` adds a cut of ten minutes.
"""

import re
import time

import pytest

from tests.browser.conftest import type_line, wait_for_text
from tests.browser.far_away import dave, far_browser, front, put_to_sleep, wait_for_match, wake, weather  # noqa: F401 - fixtures

pytestmark = pytest.mark.browser
BACK_WITHIN_SECONDS = 25
"""The longest back-off is 12 s, an attempt that meets silence takes 6."""


def everything(page):
    """All that the page's terminal holds, from its own transcript."""
    page.click("[data-term-do=settings]")
    with page.expect_download() as download:
        page.click("[data-term-transcript]")
    page.keyboard.press("Escape")
    with open(download.value.path()) as file:
        return file.read()


def is_same_shell(page):
    """The shell that was there at the beginning, which nobody has hung up on."""
    type_line(page, "echo shell-$$-still; cat /tmp/hup; echo looked-$((2+2))")
    text = wait_for_match(page, "looked-4")
    return f"shell-{page.shell}-still" in text and "hung up" not in text.split("looked-$")[-1]


def count_lines(page, last, every_seconds):
    type_line(page, f"(for n in $(seq {last}); do echo line-$n; sleep {every_seconds}; done; echo counted-$((8+1))) &")
    wait_for_text(page, "line-2")


def are_all_lines_there_once(page, last):
    return re.findall(r"line-(\d+)", everything(page)) == [str(n) for n in range(1, last + 1)]


def long_cut(config):
    return [600] if config.getoption("--long-cut", default=False) else []


def pytest_generate_tests(metafunc):
    if "cut_seconds" in metafunc.fixturenames:
        metafunc.parametrize("cut_seconds", [1, 30, *long_cut(metafunc.config)])


def test_a_cut_loses_nothing_and_doubles_nothing(dave, weather, cut_seconds):
    last = (cut_seconds + 5) * 4
    count_lines(dave, last, 0.25)
    weather.is_cut = True
    cut_at = time.monotonic()
    dave.keyboard.type("\necho typed-$((30+3))\n")
    if cut_seconds >= 30:
        dave.locator("[data-banner]:not([hidden])").wait_for()
        assert "your programs go on" in dave.locator("[data-banner-text]").inner_text()
        assert "Trying again" in dave.locator("[data-banner-count]").inner_text() or "Connecting" in dave.locator("[data-banner-count]").inner_text()
    dave.wait_for_timeout(max(0.0, cut_at + cut_seconds - time.monotonic()) * 1000)
    weather.is_cut = False
    dave.locator("[data-banner]").wait_for(state="hidden", timeout=BACK_WITHIN_SECONDS * 1000)
    wait_for_text(dave, "counted-9", cut_seconds + 60)
    assert are_all_lines_there_once(dave, last)
    assert everything(dave).count("typed-33") == 1
    assert is_same_shell(dave)


def test_the_banner_counts_down_and_tries_at_once_when_told_to(dave, weather):
    weather.is_cut = True
    dave.keyboard.type("echo now-$((40+4))\n")
    count, now = dave.locator("[data-banner-count]"), dave.locator("[data-banner-now]")
    dave.wait_for_function("() => / [5-9] s| 1\\d s/.test(document.querySelector('[data-banner-count]').textContent)", timeout=120_000)
    first = int(re.search(r"(\d+) s", count.inner_text())[1])
    dave.wait_for_function("first => { const found = /(\\d+) s/.exec(document.querySelector('[data-banner-count]').textContent); return found && found[1] < first; }", arg=first)
    assert now.is_visible()
    weather.is_cut = False
    now.click()
    wait_for_text(dave, "now-44", 3)
    assert dave.locator("[data-banner]").is_hidden()
    assert is_same_shell(dave)


def test_who_only_looks_on_is_told_too_and_comes_back(dave, weather):
    weather.is_cut = True
    dave.locator("[data-banner]:not([hidden])").wait_for(timeout=90_000)
    weather.is_cut = False
    dave.locator("[data-banner]").wait_for(state="hidden", timeout=BACK_WITHIN_SECONDS * 1000)
    assert is_same_shell(dave)


def test_half_a_second_of_delay_and_two_percent_lost_packets_need_no_new_connection(dave, weather):
    dave.evaluate("""() => { window.cut = 0; const banner = document.querySelector('[data-banner]');
        new MutationObserver(() => { if (!banner.hidden) window.cut += 1; }).observe(banner, { attributeFilter: ['hidden'] }); }""")
    weather.delay_seconds, weather.loss, lost = 0.5, 0.02, weather.lost
    count_lines(dave, 1500, 0.01)
    dave.keyboard.type("\necho slow-$((50+5))\n", delay=50)
    wait_for_text(dave, "counted-9", 120)
    assert are_all_lines_there_once(dave, 1500)
    assert everything(dave).count("slow-55") == 1
    assert weather.lost > lost, "the weather was bad"
    assert dave.evaluate("cut") == 0
    assert is_same_shell(dave)


def test_a_laptop_sleeps_and_wakes(dave, weather):
    """Every process of the browser is stopped and the network is away; the site gives its socket up meanwhile."""
    last = 240
    count_lines(dave, last, 0.25)
    browser = weather.inhabitants()
    assert browser
    weather.is_cut = True
    put_to_sleep(browser)
    time.sleep(60)  # Daphne asks every 20 s and gives up after 30: what is waited for is a real time-out
    wake(browser)
    weather.is_cut = False
    dave.locator("[data-banner]").wait_for(state="hidden", timeout=BACK_WITHIN_SECONDS * 1000)
    wait_for_text(dave, "counted-9", BACK_WITHIN_SECONDS + 30)
    assert are_all_lines_there_once(dave, last)
    assert is_same_shell(dave)
