"""The bridge between a real Redis and real PTYs; the sandbox is played by the test."""

import asyncio
import contextlib
import fcntl
import math
import os
import socket
import struct
import termios
import tty

import pytest

from runtime_agent import bridge as bridge_module
from runtime_agent import channel as channel_module
from runtime_agent import marks, typed
from runtime_agent.marks import TerminalMark
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import WINDOW_BYTES, Frame
from tests.agent.bus_stage import FLOOD, SESSION, TERMINAL, held, printed, until

OTHER = f"{SESSION}.1"


def size_of(line):
    return struct.unpack("HHHH", fcntl.ioctl(line.slave, termios.TIOCGWINSZ, bytes(8)))[:2]


# --- typing and showing -----------------------------------------------------------------------------------


async def test_what_is_typed_is_echoed(stage):
    stage.line(raw=False)
    alice = await stage.page()
    assert (await alice.welcome())[:3] == (0, 0, 0)
    await alice.type(b"echo hi\r")
    await alice.shows(b"echo hi\r\n")
    assert alice.received() == 8


@pytest.mark.parametrize(("asked", "got"), [((0, 65535), (1, 500)), ((1, 500), (1, 500)), ((501, 2), (500, 2))])
async def test_a_size_is_clamped_before_the_kernel_sees_it(stage, asked, got):
    line, alice = stage.line(), await stage.page()
    await alice.welcome(rows=30, cols=90)
    assert size_of(line) == (30, 90)
    await alice.put(Frame.RESIZE, *asked)
    await until(lambda: size_of(line) == got, what="the size")


async def test_input_that_comes_twice_is_typed_once(stage):
    line, alice = stage.line(), await stage.page()
    await alice.welcome()
    await alice.put(Frame.INPUT, 0, data=b"abc")
    await alice.put(Frame.INPUT, 0, data=b"abcdef")
    await alice.put(Frame.INPUT, 2, data=b"c")
    await alice.put(Frame.INPUT, 6, data=b"g")
    await until(lambda: alice.received() == 7)
    assert line.typed() == b"abcdefg"


async def test_an_acknowledgement_comes_behind_the_echo_and_also_without_one(stage, monkeypatch):
    line, alice = stage.line(raw=False), await stage.page()
    await alice.welcome()
    with monkeypatch.context() as patience:
        patience.setattr(typed, "ACK_SECONDS", 20.0)  # a busy machine's echo may take longer than the usual
        await alice.type(b"k")
        await until(lambda: alice.seen == b"k", what="the echo")
    await until(lambda: alice.received() == 1)
    kinds = [kind for kind, _, _ in alice.frames]
    assert kinds.index(Frame.OUTPUT) < kinds.index(Frame.INPUT_ACK)
    tty.setraw(line.slave)
    await alice.type(b"s")
    await until(lambda: alice.received() == 2)
    assert bytes(alice.seen) == b"k"


async def test_input_with_a_gap_waits_for_its_beginning(stage):
    line, alice = stage.line(), await stage.page()
    await alice.welcome()
    await alice.put(Frame.INPUT, 1, data=b"late")
    await until(lambda: alice.of(Frame.INPUT_ACK) == [(0,)])
    assert line.typed() == b""
    assert stage.channel().refused == {"input-gap": 1}


async def test_input_is_acknowledged_when_the_program_could_have_it(stage):
    line, alice = stage.line(), await stage.page()
    await alice.welcome()
    paste = bytes(65 + index % 26 for index in range(3 * terminal_codec.MAX_INPUT_BYTES))
    for at in range(0, len(paste), terminal_codec.MAX_INPUT_BYTES):
        await alice.type(paste[at:at + terminal_codec.MAX_INPUT_BYTES])
    await until(lambda: stage.channel().typed.pending and alice.received(), what="a full PTY")
    assert alice.received() < len(paste)
    typed = bytearray()
    await until(lambda: typed.extend(line.typed()) or len(typed) == len(paste), what="the whole paste")
    assert bytes(typed) == paste
    await until(lambda: alice.received() == len(paste))


async def test_a_program_that_reads_nothing_does_not_fill_the_bridge(stage):
    stage.line()
    alice = await stage.page()
    await alice.welcome()
    for _ in range(typed.MAX_PENDING_BYTES // terminal_codec.MAX_INPUT_BYTES + 3):
        await alice.type(b"x" * terminal_codec.MAX_INPUT_BYTES)
    await until(lambda: "input-overflow" in stage.channel().refused)
    assert sum(len(chunk) for _, _, chunk in stage.channel().typed.pending) <= typed.MAX_PENDING_BYTES


async def test_typing_does_not_wait_behind_output(stage):
    line, alice = stage.line(), await stage.page(acks_to=0)
    await alice.welcome()
    line.seq(FLOOD)
    await held(stage)
    await alice.type(b"\x03")
    await until(lambda: alice.received() == 1)
    assert line.typed() == b"\x03"
    await alice.put(Frame.RESIZE, 40, 100)
    await until(lambda: size_of(line) == (40, 100))


# --- credit -----------------------------------------------------------------------------------------------


async def test_a_slow_page_holds_the_program_and_lets_it_go(stage):
    line, alice = stage.line(), await stage.page(acks_to=0)
    await alice.welcome()
    program = line.seq(FLOOD)
    await held(stage)
    await until(lambda: alice.at == stage.channel().ring.head)
    assert WINDOW_BYTES <= alice.at < WINDOW_BYTES + channel_module.READS_PER_TURN * 4096
    assert program.poll() is None
    alice.acks_to = math.inf
    await alice.put(Frame.ACK, alice.at)
    await alice.shows(printed(FLOOD))
    assert alice.gaps == 0


async def test_without_a_viewer_a_program_runs_freely(stage):
    line = stage.line()
    stage.bridge.open(TERMINAL)
    program = line.seq(FLOOD)
    await until(lambda: program.poll() == 0 and stage.channel().ring.head == len(printed(FLOOD)))


async def test_a_stalled_reader_harms_nobody(stage):
    line, alice = stage.line(), await stage.page(1)
    ines = await stage.page(2, read_only=True, acks_to=0)
    await alice.welcome()
    await ines.welcome()
    line.seq(FLOOD)
    await alice.shows(printed(FLOOD))
    await ines.shows(printed(FLOOD))


async def test_a_reader_neither_types_nor_resizes(stage):
    line, ines = stage.line(), await stage.page(2, read_only=True)
    await ines.welcome(rows=9, cols=9)
    before = size_of(line)
    await ines.type(b"rm -rf\r")
    await ines.put(Frame.RESIZE, 5, 5)
    await until(lambda: stage.channel().refused == {"read-only": 2})
    assert (line.typed(), size_of(line)) == (b"", before)
    assert before != (9, 9)


async def test_whoever_types_last_is_waited_for(stage):
    line, slow, quick = stage.line(), await stage.page(1, acks_to=0), await stage.page(2)
    await quick.welcome()
    await slow.welcome()
    line.seq(FLOOD)
    await held(stage)
    await quick.type(b"q")
    await quick.shows(printed(FLOOD))


async def test_a_viewer_that_says_goodbye_is_waited_for_a_while_and_no_longer(stage, monkeypatch):
    monkeypatch.setattr(channel_module, "LINGER_SECONDS", 0.3)
    line, alice = stage.line(), await stage.page(acks_to=0)
    await alice.welcome()
    program = line.seq(FLOOD)
    await held(stage)
    await alice.put(Frame.BYE)
    await until(lambda: stage.channel().lingering, what="the goodbye")
    assert not stage.channel().reading
    await until(lambda: program.poll() == 0)
    assert not stage.channel().viewers


async def test_a_line_that_was_cut_for_a_moment_loses_nothing_of_a_flood(stage):
    line, alice = stage.line(), await stage.page(acks_to=WINDOW_BYTES)
    await alice.welcome()
    line.seq(FLOOD)
    await until(lambda: len(alice.seen) > WINDOW_BYTES)
    await alice.put(Frame.BYE)
    await held(stage)
    alice.acks_to = math.inf
    await alice.greet()
    await alice.shows(printed(FLOOD))
    assert alice.of(Frame.SKIPPED) == []
    await until(lambda: stage.channel().lingering is None)


async def test_whoever_takes_over_from_one_that_left_is_the_one_waited_for(stage):
    line, alice, other = stage.line(), await stage.page(1), await stage.page(2)
    await other.welcome()
    await alice.welcome()
    await alice.put(Frame.BYE)
    await until(lambda: stage.channel().lingering, what="the goodbye")
    await other.type(b"x")
    await until(lambda: line.typed() == b"x")
    assert (stage.channel().active, stage.channel().lingering, list(stage.channel().viewers)) == (2, None, [2])


# --- who answers ------------------------------------------------------------------------------------------

ANSWER = b"\x1b[?1;2c"


async def test_of_two_pages_only_the_one_in_use_answers_for_the_terminal(stage):
    line, alice, other = stage.line(), await stage.page(1), await stage.page(2)
    await other.welcome()
    await alice.welcome()
    for page in (other, alice):
        await page.type(ANSWER)
        await until(lambda page=page: page.received() == len(ANSWER), what="its acknowledgement")
    assert (line.typed(), stage.channel().active) == (ANSWER, 1)
    await other.type(b"k")
    for page in (alice, other):
        await page.type(ANSWER)
        await until(lambda page=page: page.received() == page.sent, what="its acknowledgement")
    assert (line.typed(), stage.channel().active) == (b"k" + ANSWER, 2)


async def test_a_page_left_alone_answers_at_once(stage):
    line, alice, other = stage.line(), await stage.page(1), await stage.page(2)
    await other.welcome()
    await alice.welcome()
    await alice.put(Frame.BYE)
    await until(lambda: stage.channel().lingering, what="the goodbye")
    await other.type(ANSWER)
    await until(lambda: other.received() == len(ANSWER))
    assert line.typed() == ANSWER


async def test_a_viewer_whose_site_was_killed_is_not_waited_for(stage, monkeypatch):
    monkeypatch.setattr(bridge_module, "HELD_SECONDS", 0.1)
    await stage.stop_bridge()
    await stage.start_bridge()
    line, alice = stage.line(), await stage.page(acks_to=0)
    await alice.welcome()
    program = line.seq(FLOOD)
    await held(stage)
    await asyncio.sleep(0.5)  # several looks: whoever still listens is waited for
    assert program.poll() is None
    await alice.leave()
    await until(lambda: program.poll() == 0)
    assert not stage.channel().viewers


# --- what is refused, and the neighbours ------------------------------------------------------------------


async def test_input_before_a_greeting_is_dropped_and_counted(stage):
    line, alice = stage.line(), await stage.page()
    stage.bridge.open(TERMINAL)
    await alice.put(Frame.INPUT, 0, data=b"rm")
    await until(lambda: stage.channel().refused == {"before-hello": 1})
    assert line.typed() == b""


async def test_bad_frames_are_counted_by_reason(stage, caplog):
    stage.line()
    alice = await stage.page()
    await alice.welcome()
    await alice.raw(b"\x02")
    await alice.raw(terminal_codec.encode(Frame.OUTPUT, 0, data=b"forged"))
    await alice.raw(terminal_codec.address(1, b"\x77"))
    await alice.put(Frame.WELCOME, 0, 0, 0, 0)
    await alice.welcome()
    assert stage.bridge.refused == {"wrong-length": 1, "wrong-way": 1}
    assert stage.channel().refused == {"unknown-type": 1, "wrong-way": 1}
    assert f"session_id={TERMINAL}" in caplog.text


async def test_another_version_is_not_welcome(stage):
    stage.line()
    alice = await stage.page()
    await alice.greet(version=2)
    await until(lambda: stage.channel() and stage.channel().refused == {"version": 1})
    assert alice.frames == []


async def test_a_stranger_terminal_is_nobodys(stage):
    page = await stage.page(terminal_id=f"{SESSION}.5")
    await page.greet()
    await page.raw(b"")
    await until(lambda: stage.bridge.refused == {"wrong-length": 1})
    assert not stage.bridge.channels


async def test_the_doorbell_opens_a_terminal(stage):
    stage.line()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.connect(str(stage.bridge.agent_dir / "bridge.sock"))
        bell.send(b"../../etc/passwd.0")
        bell.send(TERMINAL.encode())
    await until(stage.channel)
    assert stage.bridge.refused == {"bad-terminal": 1}


async def test_a_page_that_came_before_its_terminal_is_there_when_that_opens(stage):
    """It greeted into the void; the bridge says the terminal's name once, and pages greet again. Another ring says nothing."""
    early = await stage.page()
    await early.greet()
    await early.raw(b"")
    await until(lambda: stage.bridge.refused, what="a frame that came after the greeting")
    assert not early.frames
    line = stage.line()
    os.write(line.slave, b"$ ")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.connect(str(stage.bridge.agent_dir / "bridge.sock"))
        for _ in range(2):
            bell.send(TERMINAL.encode())
    await early.shows(b"$ ")
    await until(lambda: early.of(Frame.WELCOME))
    assert early.told == [TERMINAL.encode()]


async def test_the_end_of_a_command_is_told_to_control(stage):
    line = stage.line()
    stage.bridge.open(TERMINAL)
    os.write(line.slave, b"\x1b]133;D;0\x07")  # nobody listens: no harm
    await until(lambda: stage.channel().ring.head == 10)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as control:
        control.bind(str(stage.bridge.agent_dir / "marks.sock"))
        os.write(line.slave, b"output\r\n\x1b]13")
        await until(lambda: stage.channel().ring.head == 22)
        os.write(line.slave, b"3;D;0\x07$ ")

        def told():
            with contextlib.suppress(BlockingIOError):
                return marks.decode(control.recv(1000))
        assert await until(told) == TerminalMark(SESSION, 0, is_done=True, status=0)
        assert told() is None


async def test_a_full_run_folder_costs_one_terminal_and_not_the_bridge(stage, monkeypatch):
    stage.line()
    alice = await stage.page()
    await alice.welcome()
    stage.line(OTHER)
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert stage.bridge.open(OTHER) is None
    assert len(os.listdir("/proc/self/fd")) == before
    assert stage.bridge.open(OTHER) is not None
    await alice.type(b"x")
    await until(lambda: alice.received() == 1)
