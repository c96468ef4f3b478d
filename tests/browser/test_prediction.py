"""Typed characters on a slow line: shown at once where they are certain to come, and never where they are not."""

import re

import pytest

from tests.browser.conftest import focus_terminal, type_line
from tests.browser.far_away import dave, far_browser, front, wait_for_match, weather  # noqa: F401 - fixtures

pytestmark = pytest.mark.browser
KEEP_GUESSES = """() => {
    window.guesses = "";
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) if (node.nodeType === 3 && node.parentElement?.matches(".guess")) window.guesses += node.data;
    }).observe(document.querySelector(".term:not([hidden]) .xterm"), { childList: true, subtree: true });
}"""


@pytest.fixture
def slow(dave, weather):  # noqa: F811
    """Dave at a prompt, 250 ms away, with the line's slowness measured."""
    weather.delay_seconds = 0.25
    dave.evaluate(KEEP_GUESSES)
    for word in ("one", "two"):
        type_line(dave, f"clear; echo {word}-$((1+1))")
        wait_for_match(dave, f"{word}-2\n.*# ")
    return dave


def shown(page):
    """What has been guessed since the last time."""
    return page.evaluate("() => { const found = guesses; guesses = ''; return found; }")


def counted(page):
    """(guesses that came true, those that the screen contradicted)."""
    return tuple(map(int, page.locator(".term:not([hidden]) .xterm").get_attribute("data-guessed").split()))


def press(page, text, delay=30):
    focus_terminal(page)
    page.keyboard.type(text, delay=delay)


def test_what_is_typed_at_the_prompt_is_there_before_the_site_has_it(slow):
    shown(slow)
    right = counted(slow)[0]
    press(slow, "echo certainly-$((2+2))", delay=60)
    assert "certainly" in shown(slow)
    slow.keyboard.press("Enter")
    wait_for_match(slow, "certainly-4\n.*# ")
    assert counted(slow)[0] - right > 10
    assert counted(slow)[1] == 0
    assert slow.locator(".guess").count() == 0


def test_a_line_that_is_quick_guesses_nothing(dave):  # noqa: F811
    dave.evaluate(KEEP_GUESSES)
    for word in ("fast", "faster"):
        press(dave, f"echo {word}-$((1+1))\n")
        wait_for_match(dave, f"{word}-2\n.*# ")
    if dave.evaluate("() => guesses"):  # a busy machine may be slow; then what it guessed was right
        assert counted(dave)[1] == 0


SECRETS = {
    "read -rs": "read -rs secret; echo got-${#secret}",
    "a password of stty": "stty -echo; IFS= read -r secret; stty echo; echo got-${#secret}",
    "one key and then none": "read -rn1 answer; read -rs rest; secret=$answer$rest; echo got-${#secret}",
}


@pytest.mark.parametrize("command", SECRETS.values(), ids=SECRETS)
def test_what_a_program_does_not_echo_is_never_shown(slow, command):
    press(slow, "clear\n")
    press(slow, command + "\n")
    slow.wait_for_timeout(900)
    shown(slow)
    press(slow, "hunter2-hunter2\n")
    wait_for_match(slow, "got-15\n.*# ")
    assert shown(slow) == ""
    assert counted(slow)[1] == 0


def test_a_secret_that_is_typed_ahead_is_not_shown_either(slow):
    press(slow, "sleep 1; clear\n", delay=0)
    press(slow, "read -rs secret; echo got-${#secret}\n", delay=0)
    shown(slow)
    press(slow, "hunter2-hunter2\n", delay=100)
    wait_for_match(slow, "got-15\n.*# ")
    assert shown(slow) == ""
    assert counted(slow)[1] == 0


def test_full_screen_programs_are_left_alone(slow):
    press(slow, "seq 500 | less\n")
    wait_for_match(slow, "1\n2\n3\n")
    shown(slow)
    press(slow, "jjjjkkGq")
    wait_for_match(slow, "less\n.*# ")
    assert shown(slow) == ""
    assert counted(slow)[1] == 0


LINES = {
    "history": (["echo again-$((3+3))\n", "ArrowUp", "Enter"], "again-6\n(.*\n)+again-6\n.*# "),
    "a backspace": (["echo abXX", "Backspace", "Backspace", "c-$((4+4))\n"], "\nabc-8\n.*# "),
    "the middle of a line": (["echo ac-$((5+5))", "Home", "ArrowRight", "ArrowRight", "x", "Backspace", "Enter"], "\nac-10\n.*# "),
    "wide letters": (["echo wide-語語é-$((6+6))\n"], "\nwide-語語é-12\n.*# "),
    "completion": (["echo /etc/hostna", "Tab", "-$((7+7))\n"], "/etc/hostname ?-14\n.*# "),
    "an interruption": (["echo never", "Control+c", "echo then-$((8+8))\n"], "\nthen-16\n.*# "),
    "a search in the history": (["echo found-$((9+9))\n", "Control+r", "found", "Enter"], "found-18\n(.*\n)+found-18\n.*# "),
}


@pytest.mark.parametrize(("keys", "seen"), LINES.values(), ids=LINES)
def test_an_edited_line_is_the_line_that_runs(slow, keys, seen):
    press(slow, "clear\n")
    for key in keys:
        if key == "echo then-$((8+8))\n":
            wait_for_match(slow, r"\^C\n.*# ")  # the kernel drops what it has of a line that is interrupted
        if re.fullmatch(r"Arrow\w+|Enter|Backspace|Home|Tab|Control\+\w", key):
            slow.keyboard.press(key)
        else:
            press(slow, key)
    wait_for_match(slow, seen)
    assert counted(slow)[1] == 0
    assert slow.locator(".guess").count() == 0


def test_a_line_that_wraps_and_one_that_is_pasted_arrive_as_they_are(slow):
    long = "0123456789" * 25
    press(slow, f"clear; echo {long} | wc -c\n", delay=0)
    wait_for_match(slow, "(^|\n)251\n.*# ")
    focus_terminal(slow)
    shown(slow)
    slow.keyboard.insert_text("echo pasted-$((6*6))")
    slow.keyboard.press("Enter")
    wait_for_match(slow, "pasted-36\n.*# ")
    assert shown(slow) == ""
    assert counted(slow)[1] == 0


def test_a_line_that_is_cut_takes_its_guesses_back(slow, weather):  # noqa: F811
    press(slow, "clear; echo ", delay=60)
    weather.is_cut = True
    press(slow, "kept-$((5*5))", delay=0)
    slow.locator("[data-banner]:not([hidden])").wait_for()
    assert slow.locator(".guess").count() == 0
    weather.is_cut = False
    slow.keyboard.press("Enter")
    wait_for_match(slow, "kept-25\n.*# ", 40)
