"""Malformed frames by the thousand, at each place that decodes them: no crash, no effect, and each is counted.

What is right is said here a second time, as a table of lengths, so that the codec is not its own judge. `./lab fuzz` runs
the same with 100,000 cases each.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import struct
import subprocess
from types import SimpleNamespace

import pytest

from labs import terminal_hub
from labs.consumers import terminal
from runtime_agent import protocol
from runtime_agent.bridge import Bridge
from runtime_agent.channel import Channel
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.reasons import CLOSE_BAD_FRAME, CLOSE_FRAME_TOO_LARGE
from runtime_agent.protocol.terminal_codec import MAX_INPUT_BYTES, MAX_OUTPUT_CHUNK_BYTES, Frame
from runtime_agent.ring import Ring
from tests.agent.bus_stage import SESSION, TERMINAL
from tests.instance import CACHE

CASES = int(os.environ.get("BULKHEAD_FUZZ_CASES", "3000"))
SEED = int(os.environ.get("BULKHEAD_FUZZ_SEED", "6"))
FIXED = {kind: struct.calcsize(layout) for kind, layout in {
    Frame.HELLO: ">BBQQHH", Frame.ACK: ">Q", Frame.RESIZE: ">HH", Frame.BYE: ">", Frame.EXIT: ">Qi",
    Frame.WELCOME: ">QQQQ", Frame.INPUT_ACK: ">Q", Frame.SKIPPED: ">QQ",
    Frame.PING: ">Q", Frame.PONG: ">Q"}.items()}
MOST = {Frame.INPUT: MAX_INPUT_BYTES, Frame.OUTPUT: MAX_OUTPUT_CHUNK_BYTES, Frame.REPLAY: MAX_OUTPUT_CHUNK_BYTES}
FROM_PAGE = {Frame.HELLO, Frame.INPUT, Frame.ACK, Frame.RESIZE, Frame.PING}


def fault(frame: bytes) -> str | None:
    """What is wrong with the frame as such."""
    if not frame:
        return "empty"
    if frame[0] not in list(Frame):
        return "unknown-type"
    kind, length = Frame(frame[0]), len(frame) - 1
    if kind in MOST:
        return "wrong-length" if length <= 8 else "too-large" if length > 8 + MOST[kind] else None
    return "wrong-length" if kind in FIXED and length != FIXED[kind] else None


def frames(count: int) -> list[bytes]:
    """Noise, frames of the right length with noise in them, and such with a few bytes too many or too few."""
    chance = random.Random(SEED)  # noqa: S311

    def one() -> bytes:
        roll = chance.random()
        if roll < 0.2:
            return chance.randbytes(chance.randrange(48))
        kind = chance.choice(list(Frame))
        length = FIXED.get(kind, 8 + chance.choice([0, 1, 2, 30]))
        if kind in MOST and roll < 0.23:
            length = 8 + MOST[kind] + chance.randrange(-1, 2)
        if roll > 0.6:
            length = max(0, length + chance.randrange(-9, 10))
        fill = chance.choice([chance.randbytes(length), bytes(length), b"\xff" * length])
        return bytes((kind,)) + fill
    return [one() for _ in range(count)]


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def verdict(frame: bytes) -> object:
    try:
        kind, fields, data = terminal_codec.decode(frame)
    except protocol.ProtocolError as error:
        return error.reason
    return [int(kind), [str(number) for number in fields], data.hex(), terminal_codec.encode(kind, *fields, data=data).hex()]


def test_the_codec_and_the_page_s_codec_say_the_same_of_every_frame():
    tried = frames(CASES)
    done = subprocess.run([CACHE / "tools/bin/node", "static/tests/codec-verdicts.mjs"], text=True, check=True,
                          input="".join(f"{frame.hex()}\n" for frame in tried), capture_output=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(tried)
    for frame, page in zip(tried, said, strict=True):
        ours = verdict(frame)
        assert ours == page, frame[:60].hex()
        if fault(frame) is None:
            assert ours[3] == frame.hex(), "what was read is written the same"
        else:
            assert ours == fault(frame)


class Hub:
    """What a consumer would tell the bridge."""

    def __init__(self):
        self.heard: list[bytes] = []

    def join(self, viewer):
        viewer.greet()

    def leave(self, viewer):
        self.heard.append(terminal_codec.encode(Frame.BYE))

    def publish(self, viewer, frame):
        self.heard.append(frame)


HELLO = terminal_codec.encode(Frame.HELLO, 1, 0, 7, terminal_codec.FROM_RING_START, 24, 80)


async def socket_of(frame: bytes, hub: Hub) -> list[dict]:
    """All that a page gets that greets, sends one frame and is cut."""
    inbox: asyncio.Queue[dict] = asyncio.Queue()
    sent: list[dict] = []

    async def send(message):
        sent.append(message)
    for data in (HELLO, frame):
        inbox.put_nowait({"type": "websocket.receive", "bytes": data})
    inbox.put_nowait({"type": "websocket.disconnect"})
    scope = {"user": SimpleNamespace(pk=1, is_authenticated=True),
             "url_route": {"kwargs": {"session_id": SESSION, "number": 0}}}
    await terminal.TerminalConsumer.as_asgi()(scope, inbox.get, send)
    return sent


def refusals() -> dict[str, float]:
    return {sample.labels["reason"]: sample.value for metric in terminal.refused.collect()
            for sample in metric.samples if sample.name.endswith("_total")}


def expected(frame: bytes) -> str | None:
    """Why the consumer refuses what a page that has greeted sends; None if it does not."""
    if len(frame) > terminal_codec.MAX_BROWSER_FRAME_BYTES:
        return "too-large"
    if wrong := fault(frame):
        return wrong
    if frame[0] not in FROM_PAGE:
        return "wrong-way"
    return "version" if frame[0] == Frame.HELLO and frame[1] != protocol.VERSION else None


async def test_the_consumer_refuses_each_malformed_frame_and_lets_nothing_through(monkeypatch):
    async def find(self, session_id):
        return SimpleNamespace(is_active=True)
    monkeypatch.setattr(terminal.TerminalConsumer, "_find", find)
    for frame in frames(CASES):
        hub, before, reason = Hub(), refusals(), expected(frame)
        monkeypatch.setattr(terminal_hub, "current", lambda hub=hub: hub)
        sent = await socket_of(frame, hub)
        codes = [message["code"] for message in sent if message["type"] == "websocket.close"]
        added = {name: count - before.get(name, 0) for name, count in refusals().items() if count != before.get(name, 0)}
        if reason is None:
            assert (codes, added) == ([], {}), frame[:60].hex()
            continue
        assert codes == [CLOSE_FRAME_TOO_LARGE if reason == "too-large" else CLOSE_BAD_FRAME]
        assert added == {reason: 1}, frame[:60].hex()
        assert hub.heard == [HELLO, terminal_codec.encode(Frame.BYE)], "nothing of it went on"


def greets_or_leaves(bus_frame: bytes) -> bool:
    """A greeting or a goodbye as it should be; all else must be refused as long as nobody has greeted."""
    inner = bus_frame[:1] + bus_frame[9:]
    if bus_frame[:1] in (bytes((Frame.OUTPUT,)), bytes((Frame.EXIT,))) or len(bus_frame) < 9 or fault(inner):
        return False
    return inner[0] == Frame.BYE or (inner[0] == Frame.HELLO and inner[1] == protocol.VERSION)


async def test_the_bridge_counts_what_it_can_not_read_and_does_nothing_about_it(tmp_path):
    chance, told, known = random.Random(SEED), [], object()  # noqa: S311
    reader, master = os.pipe2(os.O_NONBLOCK)
    settings = SimpleNamespace(state_dir=tmp_path, run_dir=tmp_path, host="here", redis_url="unix:///nowhere")
    bridge = Bridge(settings, find=lambda settings, name: known if name == TERMINAL else None, adopt=None,
                    recorded=lambda settings: [])
    channel = Channel(TERMINAL, master, Ring(tmp_path / "ring"), publish=told.append, is_clogged=lambda: True,
                      on_mark=told.append, on_end=told.append)
    bridge.channels[TERMINAL], bridge.known[TERMINAL] = channel, known
    for frame in frames(CASES):
        name = chance.choice([TERMINAL, TERMINAL, TERMINAL, "", "x" * 300, TERMINAL + "0", TERMINAL.upper()])
        bus_frame = terminal_codec.address(chance.getrandbits(64), frame) if chance.random() < 0.9 else frame
        before, may_act = counted(bridge, channel), name == TERMINAL and greets_or_leaves(bus_frame)
        bridge._heard([b"pmessage", b"term:*:in", f"term:{name}:in".encode(), bus_frame])
        if may_act:
            channel.forget_all()
            told.clear()
        assert counted(bridge, channel) - before - channel.refused.pop("resize-failed", 0) == (0 if may_act else 1), (
            name, bus_frame[:60].hex())
        assert (told, channel.viewers, channel.active, list(channel.typed.pending)) == ([], {}, None, [])
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    bridge.marks.close()
    os.close(reader)
    os.close(master)


def counted(bridge: Bridge, channel: Channel) -> int:
    return sum(bridge.refused.values()) + sum(channel.refused.values())
