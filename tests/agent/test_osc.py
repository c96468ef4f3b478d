"""The end-of-command mark is found wherever the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_agent.osc import COMMAND_DONE, MarkScanner, is_answer


def found_in(chunks):
    scanner = MarkScanner()
    return [scanner.feed(chunk) for chunk in chunks]


@pytest.mark.parametrize("cut", range(len(COMMAND_DONE) + 1))
def test_a_mark_is_found_once_across_any_border(cut):
    chunks = [b"out" + COMMAND_DONE[:cut], COMMAND_DONE[cut:] + b";0\x07$ ", b"more"]
    assert sum(found_in(chunks)) == 1


def test_a_mark_that_comes_byte_by_byte_is_found_with_its_last_byte():
    stream = b"x" + COMMAND_DONE + b";0\x07"
    assert found_in([bytes((byte,)) for byte in stream]) == [False] * 7 + [True] + [False] * 3


@pytest.mark.parametrize("other", [b"\x1b]133;A\x07", b"\x1b]133;B\x07", b"\x1b]133;C\x07", b"\x1b]133", b"133;D", b""])
def test_other_marks_are_not_the_end_of_a_command(other):
    assert found_in([other, other]) == [False, False]


def test_a_false_start_does_not_hide_the_mark():
    assert found_in([b"\x1b]133;", b"\x1b]133;D"]) == [False, True]


@given(st.lists(st.sampled_from([COMMAND_DONE, b"\x1b]133;", b"D", b"\x1b", b"text"])), st.lists(st.integers(0, 60)))
def test_a_cut_stream_has_as_many_chunks_with_a_mark_as_marks_end_in(parts, cuts):
    stream = b"".join(parts)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    chunks = [stream[a:b] for a, b in zip(borders, borders[1:], strict=False)]
    ends = [at + len(COMMAND_DONE) for at in range(len(stream)) if stream.startswith(COMMAND_DONE, at)]
    expected = [any(a < end <= b for end in ends) for a, b in zip(borders, borders[1:], strict=False)]
    assert found_in(chunks) == expected


@pytest.mark.parametrize("text", [b"\x1b[?1;2c", b"\x1b[>0;276;0c", b"\x1b[0n", b"\x1b[24;80R", b"\x1b[8;24;80t",
                                  b"\x1b[?2026;2$y", b"\x1b]10;rgb:ff/ff/ff\x07", b"\x1b]11;rgb:0/0/0\x1b\\",
                                  b"\x1bP1$r0m\x1b\\", b"\x1b[0n\x1b[1;1R"])
def test_what_a_terminal_says_by_itself_is_an_answer(text):
    assert is_answer(text)


@pytest.mark.parametrize("text", [b"", b"a", b"\r", b"\x03", b"\x1b", b"\x1b[A", b"\x1b[3~", b"\x1b[1;5C", b"\x1bOP",
                                  b"\x1b[200~pasted\x1b[201~", b"\x1b[0nx", b"x\x1b[0n", b"\x1b[?1;2", b"\x1b]10;open"])
def test_what_a_person_types_is_none(text):
    assert not is_answer(text)
