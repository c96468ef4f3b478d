"""The bridge when a viewer, Redis or a bridge comes back, and when a terminal ends: no byte is lost and none comes twice."""

import asyncio
import math
import os

from runtime_agent import bridge as bridge_module
from runtime_agent.protocol.terminal_codec import RING_BYTES, WINDOW_BYTES, Frame
from tests.agent.bus_stage import FLOOD, TERMINAL, held, printed, until

# --- coming back ------------------------------------------------------------------------------------------


async def test_a_viewer_that_comes_back_gets_exactly_what_it_missed(stage):
    line, alice = stage.line(), await stage.page(1)
    await alice.welcome()
    os.write(line.slave, b"first ")
    await alice.shows(b"first ")
    await alice.leave()
    os.write(line.slave, b"second ")
    await until(lambda: stage.channel().ring.head == 13)
    again = await stage.page(1, resume=alice.at)
    assert (await again.welcome())[:2] == (13, 6)
    os.write(line.slave, b"third")
    await again.shows(b"second third")
    assert again.of(Frame.SKIPPED) == []


async def test_what_has_left_the_ring_is_named(stage):
    line, total = stage.line(), len(printed(FLOOD))
    stage.bridge.open(TERMINAL)
    line.seq(FLOOD)
    await until(lambda: stage.channel().ring.head == total)
    alice = await stage.page(resume=0)
    assert (await alice.welcome())[:2] == (total, total - RING_BYTES)
    await alice.shows(printed(FLOOD)[-RING_BYTES:])
    kinds = [kind for kind, _, _ in alice.frames]
    own = kinds[kinds.index(Frame.WELCOME):]  # on a slow machine the end of the flood is still on the bus when she listens
    assert own == [Frame.WELCOME, Frame.SKIPPED, *[Frame.REPLAY] * 4]
    assert alice.of(Frame.SKIPPED) == [(0, total - RING_BYTES)]


async def test_a_replay_comes_whole_before_later_output(stage):
    """A second viewer greets in the middle of a flood and finds no gap."""
    line, alice = stage.line(), await stage.page(1)
    await alice.welcome()
    line.seq(FLOOD)
    await until(lambda: len(alice.seen) > RING_BYTES)
    bob = await stage.page(2, read_only=True)
    first = (await bob.welcome())[1]
    await alice.shows(printed(FLOOD))
    await bob.shows(printed(FLOOD)[first:])
    assert (alice.gaps, bob.gaps) == (0, 0)


async def test_answers_are_for_one_viewer(stage):
    stage.line()
    alice, bob = await stage.page(1), await stage.page(2)
    await alice.welcome()
    await bob.welcome()
    await alice.type(b"x")
    await until(lambda: alice.received() == 1)
    await bob.put(Frame.ACK, 0)
    assert (len(alice.of(Frame.WELCOME)), len(bob.of(Frame.WELCOME)), bob.of(Frame.INPUT_ACK)) == (1, 1, [])


async def test_a_killed_redis_costs_no_byte_in_either_direction(stage):
    line, alice = stage.line(), await stage.page()
    await alice.welcome()
    await alice.type(b"before")
    await until(lambda: alice.received() == 6)
    line.seq(FLOOD)
    await until(lambda: len(alice.seen) > WINDOW_BYTES)
    stage.kill_redis()
    await until(lambda: stage.bridge.speaker.transport is None)
    await stage.start_redis()
    await alice.shows(printed(FLOOD))
    await stage.listening()
    assert (await alice.welcome())[2] == 6
    await alice.type(b" and after")
    await until(lambda: alice.received() == 16)
    assert line.typed() == b"before and after"


async def test_a_new_bridge_goes_on_where_the_last_one_was(stage):
    line, alice = stage.line(), await stage.page()
    epoch = (await alice.welcome())[3]
    await alice.type(b"typed")
    await until(lambda: alice.received() == 5)
    line.seq(FLOOD)
    await until(lambda: len(alice.seen) > WINDOW_BYTES)
    await stage.stop_bridge()
    await stage.start_bridge()
    await alice.shows(printed(FLOOD))
    assert (await alice.welcome())[2:] == (5, epoch)


async def test_a_new_bridge_lets_viewers_greet_before_it_reads(stage):
    line, alice = stage.line(), await stage.page(acks_to=0)
    await alice.welcome()
    program = line.seq(FLOOD)
    await held(stage)
    await stage.stop_bridge()
    alice.has_greeted = False  # a page that needs a while
    await stage.start_bridge()
    await asyncio.sleep(0.3)
    head = alice.at
    assert stage.channel().ring.head == head
    alice.acks_to = math.inf
    assert (await alice.welcome())[:2] == (head, head)
    await alice.shows(printed(FLOOD))
    assert program.wait(5) == 0


async def test_a_new_bridge_does_not_wait_for_ever(stage, monkeypatch):
    monkeypatch.setattr(bridge_module, "GREET_SECONDS", 0.1)
    await stage.stop_bridge()
    program = stage.line().seq(FLOOD)
    await stage.start_bridge()
    await until(lambda: program.poll() == 0)


# --- the end ----------------------------------------------------------------------------------------------


async def test_the_end_comes_behind_the_last_byte(stage):
    line, alice = stage.line(), await stage.page()
    await alice.welcome()
    os.write(line.slave, b"logout\n")  # the slave stays open, as with a background job
    line.end(7)
    await until(lambda: alice.of(Frame.EXIT))
    assert (bytes(alice.seen), alice.of(Frame.EXIT)) == (b"logout\n", [(7, 7)])
    assert stage.channel() is None


async def test_the_end_is_told_even_if_the_viewer_was_held_for(stage):
    line, alice = stage.line(), await stage.page(acks_to=0)
    await alice.welcome()
    line.seq(FLOOD)
    await held(stage)
    line.end(0)
    await until(lambda: alice.of(Frame.EXIT))
    assert alice.of(Frame.EXIT) == [(alice.at, 0)]


async def test_an_end_without_a_status_is_told_after_a_while(stage, monkeypatch):
    monkeypatch.setattr(bridge_module, "EXIT_STATUS_SECONDS", 0.1)
    line, alice = stage.line(), await stage.page()
    await alice.welcome()
    line.end()
    await until(lambda: alice.of(Frame.EXIT) == [(0, -1)])


async def test_a_terminal_that_died_between_two_looks_is_ended(stage):
    line = stage.line()
    line.end(3)
    stage.bridge.open(TERMINAL)
    await until(lambda: stage.channel() is None)


async def test_a_reopened_terminal_outlives_the_news_of_its_forerunner(stage):
    old, alice = stage.line(), await stage.page()
    await alice.welcome()
    before = stage.bridge.known[TERMINAL]
    new = stage.line()
    stage.bridge.open(TERMINAL)
    stage.bridge._conmon_ended(TERMINAL, before, None)
    os.write(new.slave, b"new")
    await until(lambda: stage.channel() and stage.channel().ring.head == 3)
    assert stage.bridge.known[TERMINAL] == new.terminal != old.terminal
