"""What is sent to open panels: differences that rebuild the document, when, and for how long."""

import json
import threading
from types import SimpleNamespace

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from runtime_agent import protocol
from runtime_agent.marks import TerminalMark
from runtime_agent.protocol import facts_codec
from runtime_agent.protocol.facts_codec import FactsFrame
from runtime_agent.records import Record, Records
from runtime_agent.xray import cgroups, changes, looks, patch, stream
from runtime_agent.xray.historian import Historian
from tests.agent.machine_room import ALICE, BOB, Box

VALUES = st.recursive(st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3) | st.booleans(),
                      lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=4), max_leaves=12)
DOCUMENTS = st.dictionaries(st.text(max_size=2), VALUES, max_size=5)


@given(DOCUMENTS, DOCUMENTS)
def test_a_difference_makes_the_new_document_of_the_old(old, new):
    assert patch.apply(old, patch.difference(old, new)) == new


@given(DOCUMENTS)
def test_nothing_changed_is_nothing_to_send(document):
    assert patch.difference(document, json.loads(json.dumps(document))) == {}


def test_lists_travel_by_key_and_null_does_not_travel():
    facts = {"machine": "box", "init": {"pid": 7}, "processes": [{"pid": 7, "comm": "init"}, {"pid": 9, "comm": "bash"}],
             "mounts": [{"ns": 1, "target": "/"}, {"ns": 1, "target": "/"}],
             "cgroups": [{"path": "/", "memory": {"limit_bytes": None, "usage_bytes": 0}, "pressure": None}]}
    assert patch.to_wire(facts) == {
        "machine": "box", "init": 7, "processes": {"7": {"pid": 7, "comm": "init"}, "9": {"pid": 9, "comm": "bash"}},
        "mounts": {"1:/": {"ns": 1, "target": "/"}, "1:/#2": {"ns": 1, "target": "/"}},
        "cgroups": {"/": {"path": "/", "memory": {"usage_bytes": 0}}}}


class Bus:
    def __init__(self):
        self.sent = []

    def publish(self, channel, frame):
        version, kind = facts_codec.decode(frame)
        self.sent.append((channel, version, kind, json.loads(frame[9:])))

    def kinds(self):
        kinds = [kind for _, _, kind, _ in self.sent]
        self.sent.clear()
        return kinds


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Alice's session on this host, a clock and processes that the test sets."""
    records = Records(tmp_path)
    records.save(Record(ALICE, 1, "d", state="ready"))
    (records.sandboxes_dir / ALICE / "box").mkdir()
    world = SimpleNamespace(now=100.0, pids=[7], facts={"init": {"pid": 7}, "processes": [{"pid": 7, "comm": "init"}]}, asked=[])
    monkeypatch.setattr(cgroups, "pids", lambda group: world.pids)
    monkeypatch.setattr(looks, "group_of", lambda box: None)

    def collect(box, parts):
        world.asked.append(parts)
        return world.facts
    settings = SimpleNamespace(redis_url="redis://localhost:1", host="here")
    world.historian = Historian(settings, records, clock=lambda: world.now, now=lambda: int(world.now * 1000))
    world.stream = stream.Stream(settings, records, world.historian, collect=collect,
                                 find=lambda settings, session, machine: Box(session, machine), clock=lambda: world.now)
    world.stream.publisher = world.bus = Bus()

    def wish(word=protocol.FACTS_OPEN, session=ALICE):
        world.stream.take(protocol.facts_wish_channel(session).encode(), word)

    def look(seconds=0.0):
        world.now += seconds
        world.stream.look_around()
        return world.bus.kinds()
    world.wish, world.look = wish, look
    return world


def test_nobody_looks_nothing_is_collected(scene):
    assert scene.look() == []
    assert scene.asked == []


def test_an_open_panel_gets_the_whole_and_then_changes_only(scene):
    scene.wish()
    assert scene.look() == [FactsFrame.PATCH, FactsFrame.HISTORY, FactsFrame.WHOLE]
    assert scene.look(1.1) == []
    scene.facts = {"init": {"pid": 7}, "processes": [{"pid": 7, "comm": "init", "threads": 2}]}
    assert scene.look(1.1) == [FactsFrame.PATCH]


def test_a_panel_of_a_sandbox_at_rest_hears_that_somebody_looks(scene):
    scene.wish()
    scene.look()
    assert scene.look(stream.ALIVE_MS / 1000) == [FactsFrame.PATCH]


def test_the_past_and_what_was_typed_come_with_the_whole(scene):
    scene.historian.note(ALICE, {"box": {"processes": {}}})
    scene.historian.take(TerminalMark(ALICE, 0, is_done=False, text="ls"))
    scene.wish()
    scene.stream.look_around()
    past, whole = scene.bus.sent[-2:]
    assert [at for at, _ in past[3]["frames"]] == [100_000, 100_000]
    assert whole[3]["events"]["1"]["what"] == "ls"


def test_once_a_second_and_at_once_when_processes_change_or_a_command_ends(scene):
    scene.wish()
    scene.look()
    scene.look()
    count = len(scene.asked)
    scene.look(0.2)
    assert len(scene.asked) == count
    scene.pids = [7, 8]
    scene.look(0.2)
    assert len(scene.asked) == count + 1
    scene.stream.hurry(ALICE)
    scene.look()
    assert len(scene.asked) == count + 2


def test_what_costs_more_is_looked_at_less_often_and_when_a_command_has_ended(scene):
    scene.wish()
    scene.look()
    scene.pids = [7, 8]
    scene.look(1.1)
    scene.stream.hurry(ALICE)
    scene.look()
    scene.look(stream.SLOW_SECONDS)
    assert ["mounts" in parts for parts in scene.asked] == [True, False, True, True]


def test_the_looking_ends_when_nobody_says_that_he_looks(scene):
    scene.wish()
    scene.look()
    scene.wish(protocol.FACTS_KEEP)
    scene.look(protocol.FACTS_WATCH_SECONDS - 0.1)
    assert scene.stream.watches
    scene.look(0.2)
    assert not scene.stream.watches


def test_a_sandbox_that_is_gone_leaves_the_document_and_one_that_is_back_comes_in_again(scene):
    scene.wish()
    scene.look()
    living, scene.pids, scene.facts = scene.facts, [], None
    scene.now += 1.1
    scene.stream.look_around()
    assert scene.bus.sent[-1][3]["machines"] == {"box": None}
    assert [one["kind"] for one in scene.bus.sent[-1][3]["events"].values()] == ["machine-gone"]
    scene.pids, scene.facts = [9], living
    assert FactsFrame.PATCH in scene.look(1.1)
    assert scene.stream.watches[ALICE].known["machines"]["box"]


@pytest.mark.parametrize(("word", "session"), [(b"open", BOB), (b"everything", ALICE), (b"", ALICE), (b"open", "../../etc")])
def test_other_wishes_are_none(scene, word, session):
    scene.wish(word, session)
    assert not scene.stream.watches


@pytest.mark.parametrize(("expression", "value"), [
    ("processes[0].pid", 7), ("length(processes)", 1), ("processes[?pid == `9`] | [0]", None), ("processes[", None), ("", None)])
def test_a_question_of_the_site_is_answered_from_the_kernel(scene, monkeypatch, expression, value):
    said = []
    monkeypatch.setattr(scene.stream.publisher, "publish", lambda *message: said.append(message))
    scene.wish(protocol.FACTS_ASK + f"q1 {expression}".encode())
    assert said == [(protocol.facts_answer_channel(ALICE, "q1"), json.dumps({"value": value}, separators=(",", ":")).encode())]
    assert not scene.stream.watches, "nobody looks because of it"


def test_one_sandbox_that_can_not_be_read_does_not_blind_the_others(scene):
    def broken(box, parts):
        raise KeyError("odd")
    scene.stream.collect = broken
    scene.wish()
    assert scene.look() == []
    assert scene.stream.watches


def test_versions_go_up_over_a_restart(scene):
    scene.wish()
    scene.look()
    first = scene.stream.watches[ALICE].version
    assert stream.Watch(ALICE).version >= first - 1


def test_a_change_of_processes_asks_for_a_look_at_sessions_that_ask_the_facts(scene):
    asked = []
    checker = SimpleNamespace(asking={ALICE}, records=scene.stream.records, schedule=SimpleNamespace(
        ask_for=lambda session_id, delay: asked.append(session_id)))
    hurried = []
    watched = changes.Changes(SimpleNamespace(cgroup="bulkhead"), checker, group=lambda settings, session, machine: None,
                              on_change=hurried.append)
    for scene.pids in ([7], [7], [7, 8], [7, 8], [7]):
        watched.look_around()
    assert asked == hurried == [ALICE, ALICE]
    scene.pids = []
    watched.look_around()
    assert checker.asking == set(), "a sandbox that is gone is not watched"
    watched.look_around()
    assert watched.seen == {}


class Wishes:
    """A line to Redis on which nobody says anything, but for the answers to ``ping``."""

    def __init__(self, scene, answers, until=1e9):
        self.scene, self.answers, self.until = scene, answers, until
        self.stopped, self.asked, self.is_owed = threading.Event(), 0, False

    def get_message(self, timeout):
        self.scene.now += timeout
        if self.scene.now > self.until:
            self.stopped.set()
        is_owed, self.is_owed = self.is_owed, False
        return {"type": "pong", "channel": None, "data": b""} if is_owed else None

    def ping(self):
        self.asked += 1
        self.is_owed = self.answers


def test_a_redis_that_has_fallen_silent_is_asked_and_then_left(scene):
    """One whose machine lost its power: the line stands, and nothing comes."""
    began, line = scene.now, Wishes(scene, answers=False)
    with pytest.raises(redis.ConnectionError):
        scene.stream._hear(line, line.stopped)
    assert line.asked == 2
    assert scene.now - began == stream.SILENT_SECONDS + 1


def test_a_quiet_line_that_answers_is_kept(scene):
    line = Wishes(scene, answers=True, until=scene.now + 200)
    scene.stream._hear(line, line.stopped)
    assert 15 <= line.asked <= 20
