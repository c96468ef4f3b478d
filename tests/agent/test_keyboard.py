"""Typing like a person: when is a terminal ready for the next line? Real PTYs, real programs, no sandbox."""

import os
import pty
import time

import pytest

from runtime_agent import proc
from runtime_agent.keyboard import Keyboard
from tests.instance import wait_until

LONG = 20
"""Seconds after which a Keyboard gives up: whoever took less saw that the terminal was ready."""
RCFILE = "PS1='\\[\\e]133;A\\a\\]$ \\[\\e]133;B\\a\\]'\n"


@pytest.fixture
def keyboard(tmp_path):
    """bash with our prompt marks on a PTY of its own."""
    (tmp_path / "rc").write_text(RCFILE)
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv("/bin/bash", ["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"])  # noqa: S606
    hands = Keyboard(master)
    assert hands.wait_ready(0, 10)
    yield hands
    os.close(master)
    os.waitpid(pid, 0)


def took(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_a_line_is_done_when_the_next_prompt_is_there(keyboard):
    keyboard.type_line("sleep 0.5; echo $((40 + 2))", 20)
    assert b"42" in keyboard.screen


def test_a_silent_command_is_waited_for(keyboard):
    assert 0.9 < took(lambda: keyboard.type_line("sleep 1", LONG)) < LONG


def test_a_continuation_line_is_recognised_without_a_prompt_mark(keyboard):
    assert took(lambda: keyboard.type_line("cat <<END", LONG)) < LONG
    keyboard.type_line("first-$((1 + 1))", 20)
    keyboard.type_line("END", 20)
    assert b"first-2" in keyboard.screen


def test_a_nested_shell_without_marks_is_recognised(keyboard):
    assert took(lambda: keyboard.type_line("sh", LONG)) < LONG
    keyboard.type_line("echo nested-$((1 + 2))", 20)
    assert b"nested-3" in keyboard.screen
    keyboard.type_line("exit", 20)


def test_a_program_that_reads_the_terminal_is_ready(keyboard):
    assert took(lambda: keyboard.type_line("cat", LONG)) < LONG
    keyboard.type_line("echoed", 20)
    assert keyboard.screen.count(b"echoed") >= 2
    keyboard.interrupt()


def test_a_command_that_never_ends_holds_nobody_up_and_ctrl_c_ends_it(keyboard):
    assert 0.9 < took(lambda: keyboard.type_line("sleep 1000", 1)) < LONG
    wait_until(lambda: proc.arguments(os.tcgetpgrp(keyboard.master)) == ["sleep", "1000"], 20, "the command")
    assert took(lambda: keyboard.interrupt(LONG)) < LONG
    keyboard.type_line("echo back-$((2 + 2))", 20)
    assert b"back-4" in keyboard.screen


def test_a_flood_does_not_grow_our_memory(keyboard):
    keyboard.type_line("seq 200000", 30)
    assert len(keyboard.screen) <= 64 * 1024


def test_the_tail_is_fit_for_a_report(keyboard):
    keyboard.type_line("printf 'a\\nb\\n'", 20)
    assert "\x1b" not in keyboard.tail()
    assert "b" in keyboard.tail(3)
