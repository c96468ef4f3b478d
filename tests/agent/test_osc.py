"""Answers of a terminal are told from what a person types."""

import pytest

from runtime_agent.osc import is_answer


@pytest.mark.parametrize("text", [b"\x1b[?1;2c", b"\x1b[>0;276;0c", b"\x1b[0n", b"\x1b[24;80R", b"\x1b[8;24;80t",
                                  b"\x1b[?2026;2$y", b"\x1b]10;rgb:ff/ff/ff\x07", b"\x1b]11;rgb:0/0/0\x1b\\",
                                  b"\x1bP1$r0m\x1b\\", b"\x1b[0n\x1b[1;1R"])
def test_what_a_terminal_says_by_itself_is_an_answer(text):
    assert is_answer(text)


@pytest.mark.parametrize("text", [b"", b"a", b"\r", b"\x03", b"\x1b", b"\x1b[A", b"\x1b[3~", b"\x1b[1;5C", b"\x1bOP",
                                  b"\x1b[200~pasted\x1b[201~", b"\x1b[0nx", b"x\x1b[0n", b"\x1b[?1;2", b"\x1b]10;open"])
def test_what_a_person_types_is_none(text):
    assert not is_answer(text)
