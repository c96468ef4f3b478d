"""What workers report: every shape that is not of the protocol is refused, kept for the operator, and harmless."""

import time
import uuid

import pytest

from labs import events, sessions, tasks, timers
from labs.models import Event, TaskResult, Terminal
from runtime_agent import protocol
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)
BAD_PAYLOADS = [
    ("stage", {}), ("stage", {"stage": "party"}), ("stage", {"stage": None}), ("stage", []), ("stage", None),
    ("ready", {"facts": []}), ("ready", {"facts": {}, "boot_ms": "1"}), ("failed", {"reason": 1}), ("failed", {}),
    ("terminal", {"number": 8, "machine": "box", "state": "open"}),
    ("terminal", {"number": -1, "machine": "box", "state": "open"}),
    ("terminal", {"number": True, "machine": "box", "state": "open"}),
    ("terminal", {"number": 0, "machine": "", "state": "open"}),
    ("terminal", {"number": 0, "machine": "box", "state": "ajar"}),
    ("task_passed", {"task": "x" * 81}), ("task_pending", {"task": "look", "why": 3}),
    ("oom", {"machine": "box", "kills": -1}), ("exited", {"machine": "box"}), ("removed", {"kept": 1}),
    ("ready", {"facts": {}, "generation": -1}), ("ready", {"facts": {}, "terminals": {}}),
    ("ready", {"facts": {}, "terminals": [{"number": 8, "machine": "box"}]}), ("ready", {"facts": {}, "terminals": [0]}),
    ("ready", {"facts": {}, "terminals": [{"number": 0, "machine": ""}]}),
    ("ready", {"facts": {}, "terminals": [{"number": 0, "machine": "box"}] * 9}),
]


@pytest.fixture
def session(alice, lesson, asked, told):
    return sessions.start(alice, lesson)


def event(session, **other):
    return {"event_id": str(uuid.uuid4()), "session_id": str(session.id), "seq": 1, "host": "h1", "kind": "stage",
            "at": time.time(), "payload": {"stage": "placed"}, **other}


@pytest.mark.parametrize(("kind", "payload"), BAD_PAYLOADS)
def test_a_bad_payload_changes_nothing_and_is_kept_as_refused(session, kind, payload):
    with pytest.raises(protocol.ProtocolError, match="bad-payload"):
        events.record(**event(session, kind=kind, payload=payload))
    session.refresh_from_db()
    assert (session.state, session.last_seq) == ("queued", -1)
    assert Event.objects.get().kind == "refused"


@pytest.mark.parametrize("other", [{"event_id": "x"}, {"event_id": None}, {"seq": -1}, {"seq": 2**63}, {"seq": "1"},
                                   {"at": "now"}, {"at": 1e300}, {"host": ""}, {"host": "x" * 256}, {"session_id": "X"}])
def test_a_bad_envelope_is_refused(session, other):
    with pytest.raises(protocol.ProtocolError):
        events.record(**event(session, **other))


def test_the_task_counts_refusals_and_goes_on(session, caplog):
    tasks.record_event(**event(session, payload={}))
    tasks.record_event(session_id="?")
    assert caplog.text.count("event refused") == 2


def test_an_event_of_no_session_of_ours_is_nothing(session):
    assert not events.record(**event(session, session_id=str(uuid.uuid4())))


def test_texts_are_cut_and_lose_their_nul(session):
    tell(session, "ready", 1, facts={})
    for seq, length in enumerate((1999, 2000, 2001), start=2):
        tell(session, "task_pending", seq, task="look", why="\0" * length)
        assert TaskResult.objects.get(task="look").why == "\ufffd" * min(length, protocol.MAX_TEXT_CHARS)


def test_a_task_says_whether_its_needs_are_met(session, told):
    tell(session, "ready", 1, facts={})
    tell(session, "task_pending", 2, task="leap", why="look first")
    tell(session, "task_passed", 3, task="look", saw="it")
    tell(session, "task_passed", 4, task="leap", saw="it")
    assert [notice["needs_met"] for _, notice in told if notice["type"] == "task"] == [False, True, True]


def test_a_task_of_another_lab_is_nothing(session):
    tell(session, "task_passed", 1, task="unheard-of")
    assert not TaskResult.objects.exists()


def test_terminals_have_the_titles_of_the_lab_or_their_number(session, told):
    tell(session, "terminal", 1, number=0, machine="box", state="open", status=None)
    tell(session, "terminal", 2, number=1, machine="box", state="open", status=None)
    assert list(Terminal.objects.values_list("title", flat=True)) == ["outside", "Terminal 2"]
    assert told[-1][1] == {"type": "terminal", "number": 1, "state": "open", "title": "Terminal 2", "machine": "box"}


def test_a_sandbox_of_a_session_cancelled_in_the_queue_is_removed(session, asked):
    assert sessions.end(session.id).state == "ended"
    tell(session, "stage", 1, stage="placed")
    tell(session, "stage", 2, stage="disk")
    assert [message[:2] for message in asked[1:]] == [(protocol.TASK_DELETE, "agent.h1")]


def test_those_behind_move_up(session, bob, lesson, told):
    behind = sessions.start(bob, lesson)
    told.clear()
    timers.watch()
    assert told == [], "nobody has left the queue"
    tell(session, "stage", 1, stage="placed")
    timers.watch()
    assert (behind.id, {"type": "stage", "stage": "", "position": 1}) in told
