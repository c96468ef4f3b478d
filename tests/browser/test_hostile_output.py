"""The HOST parts of the attack list's terminal rows: what a program prints must not reach beyond its terminal."""

import pytest

from runtime_agent import attacks
from runtime_agent.attack_list import read
from tests.browser.conftest import end_sandbox, open_lesson, start_sandbox, type_line, wait_for_text

pytestmark = pytest.mark.browser
LESSON = "A container is a process"
COMMANDS = {attack.id: attack.command for attack in read(attacks.DEFAULT_LIST)}


@pytest.fixture
def terminal(alice, site, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    yield alice
    end_sandbox(alice)  # junk may have asked the terminal a question, whose answer then stands at the prompt


def run(page, id_: str) -> None:
    type_line(page, f"{{ {COMMANDS[id_]}; }}; stty sane; printf '\\033c'; echo done-$((40+2))-{id_}")
    wait_for_text(page, f"done-42-{id_}", seconds=30)


def test_a_program_can_not_write_the_clipboard(terminal):
    terminal.evaluate("navigator.clipboard.writeText('mine')")
    run(terminal, "TTY-01")
    assert terminal.evaluate("navigator.clipboard.readText()") == "mine"


def test_binary_junk_ends_no_connection(terminal):
    sockets = []
    terminal.on("websocket", lambda socket: sockets.append(socket.url))
    run(terminal, "TTY-05")
    assert sockets == [], "a terminal that lost its connection opens another"


def test_the_sandbox_does_not_resize_the_window(terminal):
    before = size_at_rest(terminal)
    run(terminal, "TTY-07")
    assert size_at_rest(terminal) == before


def size_at_rest(page) -> list[int]:
    """Width and height of the window, rows of the terminal, when two looks agree: a terminal fits itself a moment after."""
    looks = [None]
    while len(looks) < 2 or looks[-1] != looks[-2]:
        looks.append(page.evaluate("() => [innerWidth, innerHeight, document.querySelectorAll('.xterm-rows > div').length]"))
        page.wait_for_timeout(300)
        assert len(looks) < 60, looks
    return looks[-1]


def test_a_question_is_not_answered_again_when_the_page_comes_back(terminal):
    type_line(terminal, "clear; printf '\\033[c'; IFS= read -rs -d c answer; echo answer-${#answer}")
    wait_for_text(terminal, "answer-6")
    terminal.reload()
    wait_for_text(terminal, "answer-6")
    type_line(terminal, "echo typed-$((40+2))")
    wait_for_text(terminal, "typed-42")
    assert "1;2c" not in terminal.evaluate("document.querySelector('.term:not([hidden]) .xterm-rows').innerText")
