"""The codecs of terminal and tunnel, against golden frames (the page's codec is held to those of the terminal too), and ids."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_agent import protocol
from runtime_agent.protocol import ProtocolError, terminal_codec, tunnel_codec
from runtime_agent.protocol.terminal_codec import Frame
from runtime_agent.protocol.tunnel_codec import Tunnel

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "frames.json").read_text())
U64 = st.integers(0, 2**64 - 1)
U16 = st.integers(0, 2**16 - 1)
U8 = st.integers(0, 255)
FIELDS = {Frame.HELLO: (U8, U8, U64, U64, U16, U16), Frame.INPUT: (U64,), Frame.ACK: (U64,), Frame.RESIZE: (U16, U16),
          Frame.BYE: (), Frame.OUTPUT: (U64,), Frame.EXIT: (U64, st.integers(-2**31, 2**31 - 1)),
          Frame.WELCOME: (U64,) * 4, Frame.INPUT_ACK: (U64,), Frame.REPLAY: (U64,), Frame.SKIPPED: (U64, U64),
          Frame.NOTICE: (), Frame.PING: (U64,), Frame.PONG: (U64,)}
LIMITS = {Frame.INPUT: terminal_codec.MAX_INPUT_BYTES, Frame.OUTPUT: terminal_codec.MAX_OUTPUT_CHUNK_BYTES,
          Frame.REPLAY: terminal_codec.MAX_OUTPUT_CHUNK_BYTES}
SESSION = "0b54b1a4-5a5c-4d8e-9d61-3f2a0c6f7a11"


def reason_of(action, *arguments):
    with pytest.raises(ProtocolError) as caught:
        action(*arguments)
    return caught.value.reason


@pytest.mark.parametrize("golden", GOLDEN["frames"], ids=lambda golden: golden["name"])
def test_a_golden_frame_is_written_and_read_alike(golden):
    kind, fields = Frame[golden["kind"]], tuple(int(field) for field in golden["fields"])
    body, frame = bytes.fromhex(golden["data_hex"]), bytes.fromhex(golden["frame_hex"])
    assert terminal_codec.encode(kind, *fields, data=body) == frame
    assert terminal_codec.decode(frame) == (kind, fields, body)


def test_the_golden_frames_cover_every_kind():
    assert {golden["kind"] for golden in GOLDEN["frames"]} == {kind.name for kind in Frame}


@pytest.mark.parametrize("golden", GOLDEN["malformed"], ids=lambda golden: golden["name"])
def test_a_malformed_frame_is_refused_by_name(golden):
    assert reason_of(terminal_codec.decode, bytes.fromhex(golden["frame_hex"])) == golden["reason"]


@pytest.mark.parametrize(("kind", "limit"), LIMITS.items(), ids=lambda value: getattr(value, "name", value))
def test_bytes_are_bounded(kind, limit):
    for size in (1, limit - 1, limit):
        assert len(terminal_codec.decode(terminal_codec.encode(kind, 0, data=bytes(size)))[2]) == size
    assert reason_of(terminal_codec.decode, terminal_codec.encode(kind, 0, data=bytes(limit + 1))) == "too-large"
    assert reason_of(terminal_codec.decode, terminal_codec.encode(kind, 0)) == "wrong-length"


@given(st.data())
def test_what_was_written_is_read(data):
    kind = data.draw(st.sampled_from(Frame))
    fields = tuple(data.draw(field) for field in FIELDS[kind])
    smallest = 1 if kind in LIMITS else 0
    body = data.draw(st.binary(min_size=smallest, max_size=200)) if kind in LIMITS or kind is Frame.NOTICE else b""
    frame = terminal_codec.encode(kind, *fields, data=body)
    assert terminal_codec.decode(frame) == (kind, fields, body)
    viewer = data.draw(U64)
    expected = (None, frame) if kind in terminal_codec.BROADCASTS else (viewer, frame)
    assert terminal_codec.unaddress(frame if kind in terminal_codec.BROADCASTS else terminal_codec.address(viewer, frame)) == expected


def test_noise_raises_nothing_but_protocol_errors():
    noise, refused = random.Random(20), 0  # noqa: S311
    for _ in range(2000):
        frame = bytes((noise.choice([*Frame, noise.randrange(256)]),)) + noise.randbytes(noise.randrange(48))
        for read in (terminal_codec.decode, terminal_codec.unaddress):
            try:
                read(frame)
            except ProtocolError:
                refused += 1
    assert refused > 1000


@pytest.mark.parametrize(("asked", "given_"), [((0, 0), (1, 1)), ((1, 1), (1, 1)), ((2, 2), (2, 2)),
                                               ((499, 499), (499, 499)), ((500, 500), (500, 500)),
                                               ((501, 501), (500, 500)), ((65535, 0), (500, 1))])
def test_a_size_is_clamped(asked, given_):
    assert terminal_codec.clamp_size(*asked) == given_


def test_a_terminal_is_numbered_0_to_7():
    assert protocol.split_terminal_id(protocol.terminal_id(SESSION, 0)) == (SESSION, 0)
    assert protocol.split_terminal_id(protocol.terminal_id(SESSION, 7)) == (SESSION, 7)
    assert reason_of(protocol.terminal_id, SESSION, -1) == "bad-terminal"
    assert reason_of(protocol.terminal_id, SESSION, 8) == "bad-terminal"


@pytest.mark.parametrize("name", [f"{SESSION}.8", SESSION, f"{SESSION}.0\n", f"{SESSION.upper()}.0", "../x.0", "", None, 3])
def test_nothing_else_is_a_terminal_id(name):
    assert reason_of(protocol.split_terminal_id, name) == "bad-terminal"


def test_a_session_id_is_a_lower_case_uuid():
    assert protocol.check_session_id(SESSION) == SESSION
    for wrong in (SESSION.upper(), SESSION[:-1], SESSION + "0", SESSION + "\n", "", None):
        assert reason_of(protocol.check_session_id, wrong) == "bad-id"


TUNNEL = json.loads((Path(__file__).parents[1] / "golden" / "tunnel.json").read_text())


@pytest.mark.parametrize("golden", TUNNEL["frames"], ids=lambda golden: golden["name"])
def test_a_golden_tunnel_frame_is_written_and_read_alike(golden):
    kind, site, stream = Tunnel[golden["kind"]], int(golden["site"]), int(golden["stream"])
    fields, body = tuple(map(int, golden["fields"])), bytes.fromhex(golden["data_hex"])
    frame = bytes.fromhex(golden["frame_hex"])
    assert tunnel_codec.encode(kind, site, stream, *fields, data=body) == frame
    assert tunnel_codec.decode(frame) == (kind, site, stream, fields, body)


def test_the_golden_tunnel_frames_cover_every_kind():
    assert {golden["kind"] for golden in TUNNEL["frames"]} == {kind.name for kind in Tunnel}


@pytest.mark.parametrize("golden", TUNNEL["malformed"], ids=lambda golden: golden["name"])
def test_a_malformed_tunnel_frame_is_refused_by_name(golden):
    assert reason_of(tunnel_codec.decode, bytes.fromhex(golden["frame_hex"])) == golden["reason"]


def test_a_tunnel_frame_carries_its_most_and_no_more():
    def frame(count):
        return tunnel_codec.encode(Tunnel.DATA, 1, 1, 0, data=bytes(count))
    assert len(tunnel_codec.decode(frame(tunnel_codec.MAX_CHUNK_BYTES))[4]) == tunnel_codec.MAX_CHUNK_BYTES
    assert reason_of(tunnel_codec.decode, frame(tunnel_codec.MAX_CHUNK_BYTES + 1)) == "too-large"
