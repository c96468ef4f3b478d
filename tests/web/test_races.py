"""Two requests at the same moment: what the rules allow once happens once, on SQLite as on PostgreSQL."""

import os
import threading
import uuid

import pytest
from django.db import connection, connections
from django.urls import reverse

from labs import agent_client, events, sessions
from labs.models import Event, LabSession, Lesson, Measurement, TaskResult, Terminal
from runtime_agent import protocol
from tests.web.conftest import LAB
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6


def at_once(*calls):
    """Run every call in a thread and on a connection of its own, all from one moment on; what each returned or raised."""
    gate, came = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        connections["default"].ensure_connection()
        gate.wait(60)
        try:
            came[place] = call()
        except Exception as error:  # noqa: BLE001  (a thread's error is the test's to judge)
            came[place] = error
        finally:
            connections.close_all()
    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return came


def test_the_suite_runs_on_the_database_that_was_asked_for():
    wanted = "postgresql" if os.environ.get("BULKHEAD_DATABASE_URL", "").startswith("postgres") else "sqlite"
    assert connection.vendor == wanted


def test_many_clicks_on_start_make_one_session_and_ask_for_it_once(alice, lesson, asked, told):
    came = at_once(*[lambda: sessions.start(alice, lesson).id] * AT_ONCE)
    assert set(came) == {LabSession.objects.get().id}
    assert [task for task, _queue, _arguments in asked] == [protocol.TASK_CREATE]


def test_starting_two_labs_at_once_does_not_pass_the_maximum(alice, lesson, asked, told, settings):
    settings.SESSIONS_MAXIMUM = 1
    others = [Lesson.objects.create(module=lesson.module, slug=f"l{n}", title="L", lab=LAB, lab_digest="e" * 64)
              for n in range(AT_ONCE)]
    came = at_once(*[lambda lesson=other: sessions.start(alice, lesson) for other in others])
    assert LabSession.objects.filter(state__in=LabSession.ACTIVE).count() == 1
    assert [error.reason for error in came if isinstance(error, sessions.Refused)] == ["maximum"] * (AT_ONCE - 1)


def test_an_event_delivered_many_times_at_once_is_recorded_once(alice, lesson, asked, told):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    event = {"event_id": str(uuid.uuid4()), "session_id": str(session.id), "seq": 2, "host": "h1", "kind": "task_passed",
             "at": 0.0, "payload": {"generation": 0, "task": "look", "saw": "it"}}
    came = at_once(*[lambda: events.record(**event)] * AT_ONCE)
    assert sorted(came) == [False] * (AT_ONCE - 1) + [True]
    assert Event.objects.filter(kind="task_passed").count() == TaskResult.objects.filter(state="passed").count() == 1


def test_extending_at_once_loses_no_extension(alice, lesson, asked, told):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    before = LabSession.objects.get().expires_at
    at_once(*[lambda: sessions.extend(session.id)] * 3)
    assert (LabSession.objects.get().expires_at - before).total_seconds() == 3 * LAB["limits"]["extend"] * 60


def test_two_new_terminals_asked_for_at_once_are_two(alice, lesson, asked, told, client):
    from django.test import Client
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    clients = [Client() for _ in range(AT_ONCE)]
    for one in clients:
        one.force_login(alice)
    address = reverse("session-terminal-create", args=[session.id])
    came = at_once(*[lambda one=one: one.post(address).json()["number"] for one in clients])
    assert sorted(came) == list(range(AT_ONCE))
    assert Terminal.objects.count() == AT_ONCE


def test_ending_and_restarting_at_once_leave_one_of_both(alice, lesson, asked, told, monkeypatch):
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    at_once(lambda: sessions.end(session.id), lambda: sessions.restart(session.id))
    found = LabSession.objects.get()
    assert (found.state, found.generation) in {("ending", 0), ("ended", 1)}
    creates = [arguments["generation"] for task, _queue, arguments in asked if task == protocol.TASK_CREATE]
    assert creates == list(range(found.generation + 1))
    assert agent_client.living_hosts()


def test_measuring_twice_at_once_keeps_one_number(alice, lesson):
    at_once(*[lambda n=n: Measurement.objects.update_or_create(
        user=alice, lesson=lesson, block="b", defaults={"value": n}) for n in range(AT_ONCE)])
    assert Measurement.objects.count() == 1
