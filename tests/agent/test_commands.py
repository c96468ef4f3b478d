"""What was typed and how it ended, read from a terminal's output wherever that is cut, and however odd it is."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_agent import commands
from runtime_agent.commands import Commands, Mark

BASHRC = Path(commands.__file__).parent / "guest" / "bashrc"
PROMPT = b"\x1b]133;A\x07\x1b[1;32mroot@host\x1b[0m:~# \x1b]133;B\x07"
DONE, RUNS = b"\x1b]133;D;0\x07", b"\x1b]133;C\x07"


def marks_in(*chunks, columns=80):
    reader = Commands(columns)
    return [mark for chunk in chunks for mark in reader.feed(chunk)]


@pytest.mark.parametrize("cut", range(len(DONE) + 1))
def test_a_mark_is_found_once_across_any_border(cut):
    assert marks_in(b"out" + DONE[:cut], DONE[cut:] + b"$ ", b"more") == [Mark(True, status=0)]


@pytest.mark.parametrize("end", [b"\x07", b"\x1b\\"])
@pytest.mark.parametrize(("said", "status"), [(b";0", 0), (b";127", 127), (b"", None), (b";x", None)])
def test_the_status_is_what_the_shell_said(said, status, end):
    assert marks_in(b"\x1b]133;D" + said + end) == [Mark(True, status=status)]


@pytest.mark.parametrize("other", [b"\x1b]133;A\x07", b"\x1b]133;B\x07", b"\x1b]133", b"133;D", b"", b"\x1b]0;title\x07"])
def test_other_sequences_are_no_command(other):
    assert marks_in(other, other) == []


def test_a_false_start_does_not_hide_the_mark():
    assert marks_in(b"\x1b]133;", DONE) == [Mark(True, status=0)]


@given(st.lists(st.sampled_from([DONE, RUNS, PROMPT, b"ls -l\r\n", b"\x1b]133;", b"D", b"\x1b", "é漢".encode()]), max_size=20),
       st.lists(st.integers(0, 300), max_size=12))
def test_a_stream_says_the_same_however_it_is_cut(parts, cuts):
    stream = b"".join(parts)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    assert marks_in(*(stream[a:b] for a, b in zip(borders, borders[1:], strict=False))) == marks_in(stream)


@pytest.mark.parametrize(("typed", "text"), [
    (b"ls -l", "ls -l"),
    (b"ls\b\b\x1b[Kpwd", "pwd"),
    (b"ecko\b\bh\x1b[C ok", "echo ok"),
    (b"sleep 1\x1b[7D\x1b[2@my\x1b[9C", "mysleep 1"),
    (b"abc\r\x1b[13Cxy\x1b[P", "xy"),
    ("grüße 漢字".encode(), "grüße 漢字"),
    (b"for x in 1 2; do\r\n> echo $x; done", "for x in 1 2; do\n> echo $x; done"),
    (b"\x1b[?2004hpaste\x1b[?2004l", "paste"),
    (b"ls\x1b[H\x1b[2J" + PROMPT + b"ls -a", "ls -a"),
    (b"ab\r" + PROMPT + b"\x1b[Cc", "ac"),
    (b"l\r\nls  less\r\n" + PROMPT + b"less", "less"),
    (b"", "")])
def test_the_line_is_what_stood_on_the_screen(typed, text):
    [mark] = marks_in(PROMPT + typed + b"\r\n" + RUNS)
    assert mark == Mark(False, text)


def test_a_long_line_goes_on_in_the_next_row():
    line = "echo " + "x" * 60
    typed = line[:27].encode() + b" \r" + line[27:].encode()  # as readline wraps at 40 columns after a prompt of 13
    assert marks_in(PROMPT + typed + b"\r\n" + RUNS, columns=40) == [Mark(False, line)]


def test_only_the_last_prompt_counts_and_nothing_is_typed_while_a_program_runs():
    assert marks_in(PROMPT + b"ab" + PROMPT + b"cd\r\n" + RUNS + b"output" + RUNS) == [Mark(False, "cd"), Mark(False, "")]


def test_a_flood_of_marks_or_of_text_costs_little():
    reader = Commands()
    for flood in (RUNS * 7000, (PROMPT + b"x" * 600 + RUNS) * 100, PROMPT + b"y\n" * 30000, b"\x1b]133;D;" * 8000):
        began = time.thread_time()
        assert len(reader.feed(flood[:65536])) <= 2 * commands.MAX_MARKS
        assert time.thread_time() - began < 0.2


def test_control_characters_do_not_come_through():
    assert marks_in(PROMPT + b"a\xc2\x85b\xff\x7f" + RUNS) == [Mark(False, "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}")]


def test_a_real_shell_with_real_editing():
    """What bash draws for corrected, wrapped and several lines at a width of 40."""
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    shell = subprocess.Popen(["bash", "--rcfile", str(BASHRC), "-i"], stdin=follower, stdout=follower, stderr=follower,
                             start_new_session=True, cwd="/", env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "HOME": "/nonexistent"})
    os.close(follower)
    reader, marks, seen = Commands(40), [], bytearray()

    def until(count):
        """So many marks, and a prompt behind them: what is typed before that is echoed by the kernel."""
        deadline = time.monotonic() + 20
        while (len(marks) < count or seen.rfind(b"133;B\x07") <= seen.rfind(b"133;D")) and time.monotonic() < deadline:
            if select.select([leader], [], [], 0.5)[0]:
                seen.extend(chunk := os.read(leader, 4096))
                marks.extend(reader.feed(chunk))
        assert len(marks) >= count, (marks, bytes(seen[-200:]))
    until(0)
    long = "true " + "abcdefghij" * 7
    for number, keys in enumerate([b"ecoh hi\x1b[D\x1b[D\x1b[D\x7f\x7fho\r", long.encode() + b"\x01\x05\r", b"false\r"], 1):
        os.write(leader, keys)
        until(2 * number)
    os.write(leader, b"exit\r")
    assert marks[:6] == [Mark(False, "echo hi"), Mark(True, status=0), Mark(False, long), Mark(True, status=0), Mark(False, "false"), Mark(True, status=1)]
    shell.wait(20)
    os.close(leader)
