"""The end-of-command mark is found wherever the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_agent.osc import COMMAND_DONE, MarkScanner


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
