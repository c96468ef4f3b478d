"""A session from the click to the kept disk, and the events that move it."""

import time
import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labs import events, sessions, tasks, timers
from labs.models import LabSession, TaskResult
from labsite.celery import app
from runtime_agent import protocol

pytestmark = pytest.mark.django_db(transaction=True)


def tell(session, kind, seq, event_id=None, generation=0, clock=0.0, **payload):
    """By a host whose clock is ``clock`` seconds ahead of the site's."""
    return events.record(event_id or str(uuid.uuid4()), str(session.id), seq, "h1", kind, time.time() + clock,
                         {**payload, "generation": generation})


def test_two_clicks_get_the_same_session_and_one_request(alice, lesson, asked):
    assert sessions.start(alice, lesson) == sessions.start(alice, lesson)
    assert [task for task, _, _ in asked] == [protocol.TASK_CREATE]


@pytest.mark.parametrize(("click", "state"), [
    (sessions.extend, "ready"), (sessions.end, "ending"), (sessions.throw_away, "ending"), (sessions.restart, "queued")])
def test_every_page_of_a_session_is_told_what_a_click_in_one_of_them_made_of_it(alice, lesson, asked, told, click, state):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    told.clear()
    end = click(session.id).expires_at
    assert [(pk, notice["state"], notice["expires_at"]) for pk, notice in told] == [(session.id, state, end and end.isoformat())]


def test_what_changes_nothing_is_told_nobody(alice, lesson, asked, told):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    sessions.end(session.id)
    told.clear()
    sessions.end(session.id)
    assert told == []


def test_the_maximum_refuses_one_more(alice, lesson, asked, settings):
    settings.SESSIONS_MAXIMUM = 1
    sessions.start(alice, lesson)
    lesson.pk, lesson.slug = None, "other"
    lesson.save()
    with pytest.raises(sessions.Refused, match="maximum"):
        sessions.start(alice, lesson)


@pytest.mark.parametrize("begin_again", [sessions.resume, sessions.restart])
def test_the_maximum_holds_for_sandboxes_that_are_begun_again(alice, lesson, asked, settings, begin_again):
    settings.SESSIONS_MAXIMUM = 1
    first = sessions.start(alice, lesson)
    tell(first, "ready", 1, facts={})
    if begin_again is sessions.resume:
        sessions.end(first.id)
        tell(first, "removed", 2, kept=True, bytes=5)
    else:
        tell(first, "failed", 2, reason="lost")
    lesson.pk, lesson.slug = None, "other"
    lesson.save()
    second = sessions.start(alice, lesson)
    with pytest.raises(sessions.Refused, match="maximum"):
        begin_again(first.id)
    sessions.end(second.id)
    assert begin_again(first.id).state == "queued"


def test_who_has_too_many_since_the_maximum_was_lowered_may_start_one_over(alice, lesson, asked, settings):
    sessions_of_alice = [sessions.start(alice, lesson)]
    lesson.pk, lesson.slug = None, "other"
    lesson.save()
    sessions_of_alice.append(sessions.start(alice, lesson))
    settings.SESSIONS_MAXIMUM = 1
    tell(sessions_of_alice[0], "ready", 1, facts={})
    assert sessions.restart(sessions_of_alice[0].id).state == "queued"


def test_an_event_told_twice_counts_once_and_an_older_one_not_at_all(alice, lesson, asked):
    session, once = sessions.start(alice, lesson), str(uuid.uuid4())
    assert tell(session, "ready", 5, once, boot_ms=9, facts={})
    assert not tell(session, "ready", 5, once, boot_ms=9, facts={})
    assert not tell(session, "failed", 4, reason="lost")
    session.refresh_from_db()
    assert (session.state, session.host) == ("ready", "h1")


def test_a_host_that_lost_a_session_need_not_know_which_run_it_was(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    sessions.restart(session.id)
    assert not tell(session, "failed", 2, reason="lost"), "nobody has begun the new run"
    tell(session, "ready", 4, facts={}, generation=1)
    assert not tell(session, "failed", 3, reason="lost"), "it was said before the new run had begun"
    assert not tell(session, "failed", 5, reason="stopped")
    session.refresh_from_db()
    assert session.state == "ready"
    assert tell(session, "failed", 6, reason="lost")
    session.refresh_from_db()
    assert (session.state, session.reason) == ("failed", "lost")


def test_an_event_that_finds_the_database_locked_is_written_down_when_it_is_not(alice, lesson, asked, monkeypatch):
    session, is_locked, record = sessions.start(alice, lesson), [True, True], events.record

    def record_or_not(**event):
        if is_locked and is_locked.pop():
            raise OperationalError("database is locked")
        return record(**event)
    monkeypatch.setattr(events, "record", record_or_not)
    tasks.record_event.apply(kwargs={
        "event_id": str(uuid.uuid4()), "session_id": str(session.id), "seq": 1, "host": "h1", "kind": "task_passed",
        "at": time.time(), "payload": {"task": "look", "saw": "it", "generation": 0}})
    assert TaskResult.objects.get(task="look").state == "passed"


def test_an_event_that_a_killed_worker_held_is_handed_out_again_in_minutes():
    """redis would else wait for an hour (kombu.transport.redis)."""
    options = app.connection().transport_options
    assert 60 <= options["visibility_timeout"] <= 120
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 10


@pytest.mark.parametrize("clock", [-7200.0, 7200.0])
def test_a_host_with_another_clock_takes_no_time_from_a_session_and_gives_none(alice, lesson, asked, clock):
    session, began = sessions.start(alice, lesson), timezone.now()
    tell(session, "stage", 1, stage="placed", clock=clock)
    timers.watch()
    session.refresh_from_db()
    assert session.state == "starting", "not overdue"
    tell(session, "ready", 2, facts={}, clock=clock)
    timers.watch()
    session.refresh_from_db()
    assert session.state == "ready"
    hour = timedelta(minutes=session.lab["limits"]["minutes"])
    assert began <= session.started_at <= session.ready_at <= timezone.now()
    assert began + hour <= session.expires_at <= timezone.now() + hour


def test_two_words_that_overtake_one_another_both_count(alice, lesson, asked):
    """Four threads take what the agent says in one breath: a terminal and its session, two tasks of one look."""
    session = sessions.start(alice, lesson)
    assert tell(session, "ready", 2, facts={})
    assert tell(session, "terminal", 1, number=0, machine="box", state="open", status=None)
    assert tell(session, "task_passed", 4, task="leap", saw="it")
    assert tell(session, "task_passed", 3, task="look", saw="it")
    assert session.terminals.get().title == "outside"
    assert set(TaskResult.objects.values_list("task", "state")) == {("look", "passed"), ("leap", "passed")}
    session.refresh_from_db()
    assert (session.state, session.last_seq) == ("ready", 4)


def test_ready_names_the_terminals_that_are_open(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    session.terminals.create(number=1, machine="old", title="mine", state="opening")
    terminals = [{"number": 0, "machine": "box"}, {"number": 1, "machine": "box"}]
    assert tell(session, "ready", 1, facts={}, terminals=terminals)
    assert list(session.terminals.values_list("number", "machine", "title", "state")) == [
        (0, "box", "outside", "open"), (1, "box", "mine", "open")]


def test_an_older_word_about_the_same_thing_is_not_heard(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    tell(session, "task_passed", 5, task="look", saw="it")
    assert not tell(session, "task_pending", 4, task="look", why="nothing yet")
    tell(session, "terminal", 7, number=0, machine="box", state="closed", status=0)
    assert not tell(session, "terminal", 6, number=0, machine="box", state="open", status=None)
    assert tell(session, "terminal", 3, number=1, machine="box", state="open", status=None)
    assert TaskResult.objects.get().state == "passed"
    assert dict(session.terminals.values_list("number", "state")) == {0: "closed", 1: "open"}


def test_an_unknown_kind_is_refused(alice, lesson, asked):
    with pytest.raises(protocol.ProtocolError, match="unknown-kind"):
        tell(sessions.start(alice, lesson), "party", 1)


def test_points_survive_a_restart_and_the_old_run_is_not_heard(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    tell(session, "task_passed", 2, task="look", saw="it")
    session = sessions.restart(session.id)
    assert not tell(session, "ready", 9, facts={})
    result = TaskResult.objects.get()
    assert (result.state, result.points) == ("open", 5)
    assert (protocol.TASK_DELETE, "agent.h1") in [message[:2] for message in asked]


def test_an_ended_session_resumes_on_the_host_of_its_disk(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    assert sessions.end(session.id).state == "ending"
    tell(session, "removed", 2, kept=True)
    assert sessions.resume(session.id).generation == 1
    assert asked[-1][:2] == (protocol.TASK_CREATE, "agent.h1")


def test_the_planned_end_keeps_the_disk_and_extending_stops_at_the_deadline(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    for _ in range(6):
        session = sessions.extend(session.id)
    assert session.expires_at == session.deadline_at
    LabSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    timers.watch()
    assert asked[-1][2] == {"session_id": str(session.id), "keep": True, "newest": 0}


def test_what_a_check_says_is_noted_without_a_look_at_the_lesson_s_text(alice, lesson, asked):
    """It comes after each command of each student, and a document is 50 KB to decode."""
    session = sessions.start(alice, lesson)
    tell(session, "task_pending", 1, task="look", why="")
    with CaptureQueriesContext(connection) as caught:
        tell(session, "task_pending", 2, task="look", why="")
    assert not any('"document"' in query["sql"] for query in caught)
