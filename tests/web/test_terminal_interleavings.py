"""Whatever happens in whatever order between a program and its pages, each byte arrives once and in its place."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import struct
import tempfile
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from labs import terminal_hub
from labs.consumers.terminal import TerminalConsumer
from runtime_agent import bridge, channel
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame
from tests.agent.bus_stage import Stage, until
from tests.web.interleaving_stage import Page, Program

EXAMPLES = int(os.environ.get("BULKHEAD_INTERLEAVINGS", "12"))
"""`./lab fuzz` asks for many more."""
PAGES, PLAY_SECONDS = 3, 240.0
page = st.integers(0, PAGES - 1)
SMALL = [
    st.tuples(st.just("prints"), st.integers(1, 20_000)),
    st.tuples(st.just("types"), page, st.integers(1, 3000)),
    st.tuples(st.just("resizes"), page, st.integers(0, 600), st.integers(0, 600)),
    st.tuples(st.just("is cut"), page),
    st.tuples(st.just("stalls"), page, st.sampled_from(["parser", "socket"])),
    st.tuples(st.just("goes on"), page),
    st.tuples(st.just("leaves"), page),
    st.tuples(st.just("waits"), st.integers(0, 30)),
    st.tuples(st.just("bridge restarts")),
    st.tuples(st.just("redis restarts")),
]
FLOOD = [st.tuples(st.just("prints"), st.integers(100_000, 400_000)), *SMALL[2:6], SMALL[7], SMALL[8], SMALL[9]]
often = settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES < 100, phases=[Phase.generate],
                 suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def bridged(monkeypatch, settings):
    """The real consumer without a database, and a bridge whose patience outlasts a busy machine: when it ends, output that
    nobody was there for may leave the ring, and that is not what is tried here."""
    async def find(self, session_id):
        return type("Session", (), {"is_active": True})
    monkeypatch.setattr(TerminalConsumer, "_find", find)
    for module, name in ((bridge, "GREET_SECONDS"), (bridge, "HELD_SECONDS"), (channel, "LINGER_SECONDS")):
        monkeypatch.setattr(module, name, 600.0)
    return settings


class Play:
    """One interleaving. Page 0 is the student's: it is there from the beginning and never leaves in a flood."""

    def __init__(self, root: Path, are_watching: bool):
        self.stage, self.are_watching = Stage(root), are_watching
        self.pages: dict[int, Page] = {}

    async def run(self, actions: list[tuple], site_settings) -> None:
        await self.stage.start()
        site_settings.REDIS_URL = f"unix://{self.stage.socket}?db=0"
        self.program = Program(self.stage.line(), seed=len(actions))
        try:
            await self.page(0)
            for action in actions:
                await self.act(*action)
                await asyncio.sleep(0)
            await self.settle()
        finally:
            await self.close()

    async def page(self, number: int) -> Page:
        if number not in self.pages:
            self.pages[number] = Page(number, self.program, is_watching=self.are_watching and number > 0)
        if self.pages[number].socket is None:
            self.pages[number].has_left = False
            self.pages[number].connect()
        return self.pages[number]

    async def act(self, verb: str, *arguments) -> None:
        if verb == "prints":
            self.program.prints(*arguments)
        elif verb == "waits":
            await asyncio.sleep(arguments[0] / 1000)
        elif verb == "bridge restarts":
            await self.stage.stop_bridge()
            await self.stage.start_bridge()
        elif verb == "redis restarts":
            self.stage.kill_redis()
            await self.stage.client.aclose()
            await self.stage.start_redis()
            await self.stage.listening()
        else:
            page = await self.page(arguments[0])
            await {"types": self.types, "resizes": self.resizes, "is cut": Page.cut, "stalls": self.stalls,
                   "goes on": self.goes_on, "leaves": Page.leave}[verb](page, *arguments[1:])

    async def types(self, page: Page, count: int) -> None:
        page.type(count)

    async def resizes(self, page: Page, rows: int, cols: int) -> None:
        page.resize(rows, cols)

    async def stalls(self, page: Page, how: str) -> None:
        page.stall(how)

    async def goes_on(self, page: Page) -> None:
        page.go_on()

    async def settle(self) -> None:
        """Everybody is there and takes what comes: then all must have arrived."""
        for number in list(self.pages):
            (await self.page(number)).go_on()
        await self.until(lambda: all(page.is_welcome and page.at == len(self.program.text)
                                     for page in self.pages.values()), "all that was printed")
        await self.until(lambda: all(self.typed_by(page) == page.log for page in self.pages.values()), "all keys")
        await self.until(lambda: self.pages[0].resize(33, 77) or self.size() == (33, 77), "the size")  # pages may still greet

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await until(lambda: self.program.wrong or condition(), 100, what)
        assert self.program.wrong == []

    def typed_by(self, page: Page) -> bytes:
        return bytes(key for key in self.program.typed if key >> 4 == page.number)

    def size(self) -> tuple[int, int]:
        return struct.unpack("HHHH", fcntl.ioctl(self.stage.all_lines[0].slave, termios.TIOCGWINSZ, bytes(8)))[:2]

    async def close(self) -> None:
        for page in self.pages.values():
            if page.socket is not None:
                await page.leave()
        await terminal_hub.current().close()
        self.program.close()
        await self.stage.close()


def play(actions: list[tuple], site_settings, are_watching: bool = False) -> Play:
    root = Path(tempfile.mkdtemp(prefix="bh-"))
    played = Play(root, are_watching)
    try:
        asyncio.run(asyncio.wait_for(played.run(actions, site_settings), PLAY_SECONDS))
    finally:
        shutil.rmtree(root)
    return played


@often
@given(actions=st.lists(st.one_of(SMALL), min_size=3, max_size=12))
def test_what_fits_into_the_ring_reaches_every_page_whole(bridged, actions):
    played = play(actions, bridged)
    assert len(played.program.text) <= terminal_codec.RING_BYTES
    assert [page.skipped for page in played.pages.values()] == [0] * len(played.pages)


@often
@given(actions=st.lists(st.one_of(FLOOD), min_size=3, max_size=10))
def test_a_flood_reaches_the_student_s_page_whole_and_watchers_hold_nobody_back(bridged, actions):
    played = play(actions, bridged, are_watching=True)
    assert played.pages[0].skipped == 0


def test_five_pages_that_never_read_harm_neither_the_student_nor_the_site_s_memory(bridged, monkeypatch):
    held = []

    async def with_stalled(self):
        for number in range(1, 6):
            (await self.page(number)).stall("parser")
        await self.until(lambda: all(page.is_welcome for page in self.pages.values()), "six pages")
        for number in range(1, 6):
            self.pages[number].stall("socket")
        self.pages[0].type(1)
        self.program.prints(2_000_000)
        await self.until(lambda: self.pages[0].at == len(self.program.text), "the whole flood")
        self.pages[0].type(1)
        await self.until(lambda: self.typed_by(self.pages[0]) == self.pages[0].log, "a key after it")
        held.extend(viewer.deliver.__self__.outbox_bytes for viewer in terminal_hub.current().all_viewers())
    monkeypatch.setattr(Play, "settle", with_stalled)
    played = play([], bridged)
    assert played.pages[0].skipped == 0
    assert len(held) == 6 and sum(held) > terminal_codec.RING_BYTES / 2, "somebody is stalled"
    assert max(held) < terminal_codec.RING_BYTES + terminal_codec.MAX_OUTPUT_CHUNK_BYTES


def test_the_stage_would_notice_a_byte_that_is_lost(bridged, monkeypatch):
    real = terminal_codec.encode

    def forgetful(kind, *fields, data=b""):
        return real(kind, *fields, data=bytes(len(data)) if kind in (Frame.OUTPUT, Frame.REPLAY) else data)
    monkeypatch.setattr(terminal_codec, "encode", forgetful)
    with pytest.raises(AssertionError, match="got other bytes"):
        play([("prints", 5000)], bridged)
