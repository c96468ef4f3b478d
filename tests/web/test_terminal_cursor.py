"""What one viewer is let through, whatever the bus loses or repeats."""

import random

from labs.terminal_cursor import GREET_AGAIN_SECONDS, MAX_AHEAD_BYTES, Cursor
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame


def begun(at=0):
    cursor = Cursor()
    cursor.take(Frame.WELCOME, (at, at, 0, 1), b"", 0.0)
    return cursor


def test_before_the_welcome_nothing_passes_because_the_replay_brings_it():
    assert Cursor().take(Frame.OUTPUT, (5,), b"abc", 0.0) == (None, False)


def test_what_is_known_is_cut_off_at_n_minus_1_n_and_n_plus_1():
    for length, passes in ((9, None), (10, None), (11, b"x")):
        cursor = begun(10)
        frame, greets = cursor.take(Frame.REPLAY, (0,), b"x" * length, 0.0)
        assert greets is False
        assert (frame and terminal_codec.decode(frame)) == (passes and (Frame.REPLAY, (10,), passes))


def test_a_gap_greets_once_until_it_is_answered_and_again_when_nobody_answers():
    cursor = begun(10)
    assert cursor.take(Frame.OUTPUT, (11,), b"x", 1.0) == (None, True)
    cursor.note_greeting(1.0)
    assert cursor.take(Frame.OUTPUT, (12,), b"x", 1.0 + GREET_AGAIN_SECONDS - 0.01) == (None, False)
    assert cursor.take(Frame.OUTPUT, (13,), b"x", 1.0 + GREET_AGAIN_SECONDS) == (None, True)
    assert cursor.resume == 10


def test_skipped_bytes_are_no_gap():
    cursor = begun(10)
    cursor.take(Frame.SKIPPED, (10, 50), b"", 0.0)
    assert cursor.take(Frame.OUTPUT, (50,), b"x", 0.0)[0]


def test_a_page_has_at_most_a_ring_unparsed_and_is_served_again_when_it_has_room():
    cursor, size = begun(), terminal_codec.MAX_OUTPUT_CHUNK_BYTES
    for at in range(0, MAX_AHEAD_BYTES, size):
        assert cursor.take(Frame.OUTPUT, (at,), bytes(size), 0.0)[0]
    assert cursor.take(Frame.OUTPUT, (MAX_AHEAD_BYTES,), b"x", 0.0) == (None, False)
    assert cursor.take(Frame.OUTPUT, (MAX_AHEAD_BYTES + 1,), b"x", 0.0) == (None, False), "no gap: we know of it"
    assert not cursor.acknowledge(MAX_AHEAD_BYTES - terminal_codec.WINDOW_BYTES - 1)
    assert cursor.acknowledge(MAX_AHEAD_BYTES - terminal_codec.WINDOW_BYTES)
    assert cursor.resume == MAX_AHEAD_BYTES
    assert cursor.take(Frame.REPLAY, (MAX_AHEAD_BYTES,), b"x", 0.0)[0]


def test_a_page_can_not_acknowledge_what_it_was_not_sent():
    cursor = begun(10)
    cursor.acknowledge(10**9)
    assert cursor.acked == 10


def test_another_terminal_behind_the_same_name_begins_anew():
    cursor = begun(100)
    cursor.take(Frame.WELCOME, (3, 0, 0, 2), b"", 0.0)
    assert cursor.expected == 0


def test_any_loss_and_repetition_ends_in_every_byte_once_and_in_order():
    chance = random.Random(7)  # noqa: S311
    text = bytes(chance.randrange(256) for _ in range(4000))
    cursor, seen, now = begun(), b"", 0.0
    while len(seen) < len(text):
        now += 1.0
        start = max(0, len(seen) - 50 + chance.randrange(100))
        chunk = text[start:start + 1 + chance.randrange(200)]
        if not chunk:
            continue
        frame, greets = cursor.take(Frame.OUTPUT, (start,), chunk, now)
        if greets:
            cursor.note_greeting(now)
            cursor.take(Frame.WELCOME, (len(text), cursor.resume, 0, 1), b"", now)
        if frame:
            _, (offset,), body = terminal_codec.decode(frame)
            assert offset == len(seen)
            seen += body
    assert seen == text
