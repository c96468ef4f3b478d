"""Events survive: an outage of the broker, a kill between two lines, two processes at once."""

import threading
import time

import pytest

from runtime_agent import events

SESSION = "11111111-2222-3333-4444-555555555555"


class Broker:
    """Takes events while it is up."""

    def __init__(self):
        self.got, self.is_up, self.dies_after = [], True, None

    def send(self, event):
        if not self.is_up or len(self.got) == self.dies_after:
            raise ConnectionError("broker is down")
        self.got.append(event)


def counted(numbers):
    """The numbers from 1, as they would be had the first been 1: a new outbox begins with the time."""
    found = list(numbers)
    return [number - found[0] + 1 for number in found]


@pytest.fixture
def outbox(tmp_path):
    return events.Outbox(tmp_path / "outbox", "host-a")


def test_events_are_sent_in_order_and_then_forgotten(outbox):
    broker = Broker()
    for kills in (1, 2, 3):
        outbox.emit("oom", SESSION, {"kills": kills})
    assert outbox.send_now(broker.send)
    assert [event["payload"]["kills"] for event in broker.got] == [1, 2, 3]
    assert counted(event["seq"] for event in broker.got) == [1, 2, 3]
    assert list(outbox.waiting()) == []


def test_an_event_has_exactly_the_fields_of_the_contract(outbox):
    outbox.emit("removed", SESSION, {"kept": True})
    [(_, event)] = outbox.waiting()
    assert set(event) == {"event_id", "session_id", "seq", "host", "kind", "at", "payload"}
    assert (event["host"], event["session_id"]) == ("host-a", SESSION)


def test_an_outage_loses_nothing_and_keeps_the_order(outbox):
    broker = Broker()
    broker.dies_after = 2
    for number in range(5):
        outbox.emit("oom", SESSION, {"kills": number})
    with pytest.raises(ConnectionError):
        outbox.send_now(broker.send)
    broker.dies_after = None
    outbox.send_now(broker.send)
    assert [event["payload"]["kills"] for event in broker.got] == [0, 1, 2, 3, 4]


def test_a_new_process_sends_what_the_old_one_left_and_counts_on(outbox, tmp_path):
    outbox.emit("oom", SESSION, {"kills": 1})
    reborn, broker = events.Outbox(tmp_path / "outbox", "host-a"), Broker()
    reborn.emit("oom", SESSION, {"kills": 2})
    reborn.send_now(broker.send)
    assert counted(event["seq"] for event in broker.got) == [1, 2]


def test_the_number_is_not_used_again_when_all_has_been_sent(outbox, tmp_path):
    broker = Broker()
    outbox.emit("stage", SESSION, {"stage": "placed"})
    outbox.send_now(broker.send)
    events.Outbox(tmp_path / "outbox", "host-a").emit("stage", SESSION, {"stage": "disk"})
    assert [event["seq"] for _, event in outbox.waiting()] == [broker.got[0]["seq"] + 1]


def test_a_host_set_up_anew_counts_on_from_more_than_it_ever_did(outbox, tmp_path):
    for _ in range(5):
        outbox.emit("oom", SESSION, {})
    old = [event["seq"] for _, event in outbox.waiting()]
    time.sleep(0.05)  # nobody sets a machine up in less
    new = events.Outbox(tmp_path / "another disk", "host-a")
    new.emit("oom", SESSION, {})
    assert [event["seq"] for _, event in new.waiting()] > old[-1:]


def test_what_died_between_send_and_removal_is_sent_again_under_the_same_id(outbox):
    broker = Broker()
    outbox.emit("stage", SESSION, {"stage": "placed"})
    [(_, event)] = outbox.waiting()
    broker.send(event)  # and here the process died
    outbox.send_now(broker.send)
    assert broker.got[0]["event_id"] == broker.got[1]["event_id"]


def test_stages_that_are_over_before_they_are_sent_are_not_sent(outbox):
    broker, other = Broker(), SESSION.replace("1", "2")
    for session_id, kind, stage, generation in (
            (SESSION, "stage", "placed", 1), (SESSION, "stage", "placed", 2), (other, "stage", "placed", 2), (SESSION, "oom", "", 2),
            (SESSION, "stage", "disk", 2), (SESSION, "ready", "", 2), (other, "stage", "disk", 2), (other, "failed", "", 2)):
        outbox.emit(kind, session_id, {"stage": stage, "generation": generation, "reason": "lost"})
    outbox.send_now(broker.send)
    assert [(event["session_id"] == SESSION, event["kind"], event["payload"]["generation"]) for event in broker.got] == [
        (True, "stage", 1), (True, "oom", 2), (True, "ready", 2), (False, "stage", 2), (False, "failed", 2)]
    assert list(outbox.waiting()) == []


def test_a_young_stage_waits_for_what_comes_after_it_and_holds_up_nobody_else(outbox):
    broker, other = Broker(), SESSION.replace("1", "2")
    outbox.emit("stage", SESSION, {"stage": "placed", "generation": 1})
    outbox.emit("oom", other, {"kills": 1})
    soon = moment_of_the_first(outbox) + events.STAGE_SECONDS / 2
    assert not outbox.send_now(broker.send, soon)
    assert [event["kind"] for event in broker.got] == ["oom"]
    outbox.emit("oom", SESSION, {"kills": 1})
    assert outbox.send_now(broker.send, soon), "what comes behind it does not overtake it"
    assert [event["kind"] for event in broker.got] == ["oom", "stage", "oom"]
    outbox.emit("stage", SESSION, {"stage": "disk", "generation": 1})
    assert outbox.send_now(broker.send, moment_of_the_first(outbox) + 2 * events.STAGE_SECONDS), "it is old enough"
    assert broker.got[-1]["payload"]["stage"] == "disk"


def test_a_stage_does_not_wait_for_a_clock_that_was_set_back(outbox):
    broker = Broker()
    outbox.emit("stage", SESSION, {"stage": "placed", "generation": 1})
    assert outbox.send_now(broker.send, moment_of_the_first(outbox) - 3600)
    assert [event["payload"]["stage"] for event in broker.got] == ["placed"]


def moment_of_the_first(outbox):
    return next(outbox.waiting())[1]["at"]


def test_threads_never_share_a_number(outbox):
    threads = [threading.Thread(target=lambda: [outbox.emit("oom", SESSION, {}) for _ in range(20)])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(event["seq"] for _, event in outbox.waiting()) == list(range(1, 81))


def test_a_kind_nobody_knows_is_a_bug_here_and_not_there(outbox):
    with pytest.raises(ValueError, match="not an event kind"):
        outbox.emit("taskpassed", SESSION, {})


def test_the_thread_tries_again_when_the_broker_is_back(outbox, monkeypatch):
    monkeypatch.setattr(events, "RETRY_SECONDS", 0.01)
    broker, stopped = Broker(), threading.Event()
    broker.is_up = False
    sent = threading.Event()

    def send(event):
        try:
            broker.send(event)
        except ConnectionError:
            broker.is_up = True
            raise
        sent.set()

    thread = threading.Thread(target=events.run, args=(outbox, send, stopped, (ConnectionError,)))
    thread.start()
    outbox.emit("stage", SESSION, {"stage": "placed"})
    assert sent.wait(5)
    stopped.set()
    outbox.wake.set()
    thread.join(5)
    assert not thread.is_alive()
