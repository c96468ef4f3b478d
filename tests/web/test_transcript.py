"""From what a terminal printed to text that can be read: rows, headings, and nothing that a program prints breaks it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs import transcript
from labs.transcript import blocks_of

PROMPT = "\x1b]133;A\x07\x1b[1;32mroot@host\x1b[0m:~# \x1b]133;B\x07"


def read(text, width=80, height=24):
    return transcript.as_text(blocks_of(width, height, [(0.0, "o", text)])).strip("\n")


def command(line, output, status=0):
    return f"{PROMPT}{line}\r\n\x1b]133;C\x07{output}\x1b]133;D;{status}\x07"


@pytest.mark.parametrize(("printed", "text"), [
    ("one\r\ntwo\r\n", "one\ntwo"),
    ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain", "red plain"),
    ("10 %\r50 %\r100 %", "100 %"),
    ("abd\bc", "abc"),
    ("abcdef\x1b[3D\x1b[K", "abc"),
    ("abc\x1b[2D\x1b[P", "ac"),
    ("ac\b\x1b[@b", "abc"),
    ("x\ty", "x       y"),
    ("first\r\nsecond\x1b[A\r1st  ", "1st\nsecond"),
    ("kept\r\n\x1b[H\x1b[2J\x1b[3Jafter", "kept\n\nafter"),
    ("before\r\n\x1b[?1049hvim's screen\x1b[?1049lafter", "before\n[a full-screen program]\nafter"),
    ("cut \x1b[31", "cut"),
    ("日本 語", "日本 語"),
    ("e\u0301te\u0301", "e\u0301te\u0301"),
    ("bell\x07 null\x00", "bell null"),
])
def test_a_screen_becomes_lines(printed, text):
    assert read(printed) == text


@pytest.mark.parametrize("text", ["x" * 23, "日" * 11 + "x", "\u1f600" * 9])
def test_a_line_that_wraps_at_the_edge_is_one_line(text):
    assert read(text, width=10) == text


def test_a_sequence_that_is_cut_between_two_events_is_one():
    parts = ("a\x1b", "[3", "1mb\x1b]9", "9;A\x07c\x1b]0;ti", "tle\x1b\\d")
    assert [block.lines for block in blocks_of(80, 24, [(0.0, "o", part) for part in parts])] == [["abcd"]]


def test_a_command_is_a_heading_with_its_time_its_status_and_what_it_printed():
    text = "Welcome\r\n" + command("ls /nope", "ls: cannot access '/nope'\r\n", 2)
    blocks = blocks_of(80, 24, [(0.0, "o", text), (5.0, "o", command("echo hi", "hi\r\n")), (6.0, "o", PROMPT)])
    assert [(block.command, block.lines, block.status) for block in blocks] == [
        ("", ["Welcome"], None), ("ls /nope", ["ls: cannot access '/nope'"], 2), ("echo hi", ["hi"], 0)]
    assert blocks[2].at == 5.0


def test_a_command_that_was_edited_and_one_that_wraps_are_read_as_they_ran():
    assert blocks_of(80, 24, [(0, "o", command("lx\b\x1b[Ks", ""))])[0].command == "ls"
    long = "echo " + "0123456789" * 8
    assert blocks_of(40, 24, [(0, "o", command(long, "out\r\n"))])[0].command == long


def test_lines_of_a_command_that_goes_on_stand_under_each_other():
    text = command("cat <<E\r\n> one\r\n> E", "one\r\n")
    assert transcript.as_text(blocks_of(80, 24, [(0, "o", text)])) == "$ cat <<E\n> > one\n> > E\none\n"


def test_what_has_scrolled_away_is_still_there():
    text = command("seq 100", "".join(f"{n}\r\n" for n in range(1, 101)))
    assert blocks_of(80, 5, [(0, "o", text)])[0].lines == [str(n) for n in range(1, 101)]


def test_the_window_may_change_its_size():
    events = [(0, "o", "a\r\nb\r\nc\r\n"), (1, "r", "10x2"), (2, "o", "0123456789ab"), (3, "r", "nonsense")]
    assert blocks_of(80, 24, events)[0].lines == ["a", "b", "c", "0123456789ab"]


PIECES = st.sampled_from(["\x1b[", "\x1b]133;", "A\x07", "B\x07", "C\x07", "D;1\x07", "\x1b[?1049h", "\x1b[?1049l", "\x1b[9999;9999H",
                          "\x1b[2J", "\x1b[1K", "\x1b[99999999999999999999C", "\x1bM", "\x1b8", "\r", "\n", "\b", "\t", "語", "\u0301", "\x1bP"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=20), max_size=40), st.integers(0, 9999), st.integers(0, 9999))
def test_whatever_is_printed_gives_text_without_escapes(pieces, width, height):
    text = transcript.as_text(blocks_of(width, height, [(0.0, "o", piece) for piece in pieces]))
    assert "\x1b" not in text
    assert "\x07" not in text
