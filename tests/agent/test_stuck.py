"""One session that hangs or can't be removed: its student hears of it, and it costs the others nothing."""

import os
import subprocess
import threading
import time

import pytest
from celery.exceptions import Retry

from runtime_agent import control, reaper, recovery, tasks, turns
from runtime_agent.errors import AgentError
from runtime_agent.records import Record
from runtime_agent.turns import FORGOTTEN_SECONDS, Busy, Turns, Waiting
from tests.agent.labs import lab_document, publish
from tests.agent.machine_room import ALICE, BOB, hall, told
from tests.agent.test_reaper import leave_behind
from tests.instance import wait_until

UNKILLABLE = [AgentError("start-failed", "cgroup does not empty"), OSError(16, "busy"), subprocess.TimeoutExpired("crun", 20)]


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.05)
    sessions, room = hall(tmp_path)
    return sessions, room, publish(sessions.settings.content_dir)


# --- turns ------------------------------------------------------------------------------------------------


def test_who_can_not_have_a_turn_soon_is_told_so(monkeypatch):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.05)
    found = Turns()
    with found.lock_of(ALICE), pytest.raises(Busy), found.take(ALICE):
        raise AssertionError("two had the turn")
    with found.take(ALICE), found.take(BOB):
        pass


def test_a_session_that_could_not_be_removed_rests_for_a_minute():
    now = [0.0]
    found = Turns(clock=lambda: now[0])
    found.let_rest(ALICE)
    for now[0] in (0.0, turns.REST_SECONDS - 0.1):
        with pytest.raises(Busy), found.take(ALICE):
            pass
    now[0] = turns.REST_SECONDS
    with found.take(ALICE):
        pass


def test_every_message_about_a_busy_session_comes_back_and_has_done_nothing(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    told(sessions)
    with sessions.lock_of(ALICE):
        for ask in (lambda: sessions.create(ALICE, 2, lab, False), lambda: sessions.open_terminal(ALICE, 1, "box", 24, 80),
                    lambda: sessions.close_terminal(ALICE, 0), lambda: sessions.delete(ALICE, False),
                    lambda: sessions.report(ALICE)):
            with pytest.raises(Busy):
                ask()
        sessions.create(BOB, 1, lab, False)
    assert told(sessions)[-1] == ("ready", None)
    assert sessions.records.find(ALICE).generation == 1
    assert room.opened == [(ALICE, 0), (BOB, 0)]


@pytest.mark.parametrize("task", [tasks.open_terminal, tasks.close_terminal, tasks.delete, tasks.report])
def test_the_message_is_put_back_and_not_for_ever(task):
    assert task.autoretry_for == (Busy,)
    assert 0 < task.default_retry_delay * task.max_retries < 300


def test_of_all_that_the_site_says_of_a_run_that_has_to_wait_one_message_comes_back(tmp_path, monkeypatch):
    sessions, _ = hall(tmp_path, capacity=1)
    lab, now, came_back = publish(sessions.settings.content_dir), [0.0], []
    monkeypatch.setattr(tasks._Work, "sessions", sessions, raising=False)
    monkeypatch.setattr(tasks._Work, "waiting", Waiting(lambda: now[0]))
    monkeypatch.setattr(tasks.create, "retry", lambda countdown: came_back.append(tasks.create.request.id) or Retry())

    def deliver(message, generation=2):
        came_back.clear()
        tasks.create.push_request(id=message)
        try:
            tasks.create.run(ALICE, generation, lab, True)
        except Retry:
            pass
        finally:
            tasks.create.pop_request()
        now[0] += tasks.RESUME_RETRY_SECONDS
        return bool(came_back)

    sessions.create(ALICE, 1, lab, False)
    sessions.delete(ALICE, True)
    sessions.create(BOB, 1, lab, False)
    assert deliver("first") and not deliver("again") and deliver("first") and not deliver("again")
    assert deliver("of the next run", generation=3)
    now[0] += FORGOTTEN_SECONDS
    assert deliver("again") and not deliver("first"), "Celery forgets what waits when the line to Redis is cut"
    sessions.delete(BOB, False)
    assert not deliver("again") and sessions.records.find(ALICE).state == "ready"


# --- what can't be removed --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", UNKILLABLE)
def test_a_failed_start_that_can_not_be_undone_is_told_and_stays_on_record(site, error):
    sessions, room, lab = site
    room.fails_with, room.stuck = AgentError("start-failed", "the runtime did not answer"), {"box": error}
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions)[-1] == ("failed", "start-failed")
    assert sessions.records.find(ALICE).state == "exited"
    with pytest.raises(Busy):
        sessions.delete(ALICE, False, 1)
    room.stuck.clear()
    sessions.turns._resting.clear()
    sessions.delete(ALICE, False, 1)
    assert told(sessions)[-1] == ("removed", False)
    assert sessions.records.find(ALICE) is None
    assert not (sessions.records.sandboxes_dir / ALICE).exists()


def test_what_a_start_breaks_on_is_told_whatever_it_is(site):
    sessions, room, lab = site
    room.fails_with = RuntimeError("can't start new thread")
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions)[-1] == ("failed", "start-failed")
    assert not (sessions.records.sandboxes_dir / ALICE).exists()


def test_one_machine_that_can_not_be_removed_does_not_keep_the_others(site):
    sessions, room, _ = site
    box = lab_document()["machines"]["box"]
    lab = publish(sessions.settings.content_dir, lab_document(machines={"box": box, "db": {**box, "hostname": "db"}}))
    sessions.create(ALICE, 1, lab, False)
    room.stuck = {"box": UNKILLABLE[0]}
    with pytest.raises(AgentError):
        sessions.delete(ALICE, False)
    assert list(room.boxes) == [(ALICE, "box")]
    assert sessions.records.find(ALICE) is not None


def test_an_orphan_that_can_not_be_removed_does_not_keep_the_next_one(site):
    sessions, room, _ = site
    for session_id in (ALICE, BOB):
        leave_behind(sessions, session_id, age_seconds=60)
    (sessions.records.sandboxes_dir / ALICE / "box").rename(sessions.records.sandboxes_dir / ALICE / "db")
    time_ago = time.time() - 60
    os.utime(sessions.records.sandboxes_dir / ALICE, (time_ago, time_ago))
    room.stuck = {"db": UNKILLABLE[0]}
    assert reaper.reap(sessions, machinery=room) == [BOB]
    room.stuck.clear()
    assert reaper.reap(sessions, machinery=room) == [ALICE]


def test_a_terminal_that_can_not_be_opened_is_said_to_be_closed(site, monkeypatch):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    told(sessions)

    def hang(*_):
        raise AgentError("start-failed", "terminal: the runtime did not answer within 20 s")
    monkeypatch.setattr(room, "open_terminal", hang)
    sessions.open_terminal(ALICE, 1, "box", 24, 80)
    assert told(sessions) == [("terminal", "closed")]


# --- carrying on ------------------------------------------------------------------------------------------


def test_a_start_whose_place_was_taken_meanwhile_waits_for_one_and_the_next_is_carried_on_too(tmp_path, monkeypatch):
    monkeypatch.setattr(recovery, "RETRY_SECONDS", 0.01)
    sessions, room = hall(tmp_path, capacity=1)
    lab = publish(sessions.settings.content_dir)
    carol = ALICE.replace("a", "c")
    sessions.create(BOB, 1, lab, False)
    for session_id in (ALICE, carol):
        sessions.records.save(Record(session_id, 1, lab))
    stopped = threading.Event()
    thread = threading.Thread(target=recovery.run, args=(sessions, stopped))
    thread.start()
    for leaving, coming in ((BOB, ALICE), (ALICE, carol)):
        sessions.delete(leaving, False)
        wait_until(lambda coming=coming: (coming, "box") in room.boxes, 10)
    thread.join(10)
    assert not thread.is_alive()


def test_a_thread_that_breaks_begins_again_until_the_end(monkeypatch):
    monkeypatch.setattr(control, "AGAIN_SECONDS", 0.01)
    stopped, runs = threading.Event(), []

    def body():
        runs.append(1)
        if len(runs) == 3:
            stopped.set()
        raise ValueError("half a file")
    control.keep("reaper", body, stopped)
    assert len(runs) == 3
    control.keep("recover", lambda: runs.append(4), threading.Event())
    assert len(runs) == 4, "one that has come to its end is not begun again"
