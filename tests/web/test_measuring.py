"""A number that comes from the facts is the worker's answer, whatever the page sends; it is kept for the student who asked."""

import json
import threading

import pytest
import redis
from django.utils import timezone

from labs import agent_client
from labs.models import LabSession, Measurement
from runtime_agent import facts, protocol

ASKED = "cgroups[?path == '/small'].memory.usage_bytes | [0]"


@pytest.fixture
def lesson(lesson):
    lesson.document = {"steps": [{"id": "one", "title": "Step one", "blocks": [
        {"kind": "measure", "id": "used", "unit": "MiB", "label": "The bill", "command": "", "facts": ASKED}]}]}
    lesson.save()
    return lesson


@pytest.fixture
def worker(monkeypatch):
    """What the worker finds, and for whom it was asked."""
    found = {"value": 5 << 20, "asked": []}

    def ask(session, expression):
        found["asked"].append((session.user.username, expression))
        return found["value"]
    monkeypatch.setattr(agent_client, "ask_facts", ask)
    return found


def start(user, lesson, state="ready"):
    return LabSession.objects.create(user=user, lesson=lesson, lab=lesson.lab, lab_digest=lesson.lab_digest, state=state,
                                     queued_at=timezone.now(), asked_at=timezone.now())


def send(client, lesson, **fields):
    return client.post(f"{lesson.get_absolute_url()}measurements/used/", fields)


def test_the_worker_is_believed_and_not_the_page(as_alice, alice, lesson, hosts, worker):
    start(alice, lesson)
    send(as_alice, lesson, value="999")
    assert Measurement.objects.get().value == 5.0
    assert worker["asked"] == [(alice.username, ASKED)]
    assert 'name="value"' not in as_alice.get(lesson.get_absolute_url()).content.decode(), "nothing can be typed"


def test_a_sandbox_without_such_a_number_says_what_to_do(as_alice, alice, lesson, hosts, worker):
    start(alice, lesson)
    worker["value"] = None
    answer = send(as_alice, lesson)
    assert answer.status_code == 422
    assert "do the step first" in answer.content.decode()
    assert not Measurement.objects.exists()


@pytest.mark.parametrize("state", ["queued", "ended", None])
def test_without_a_running_sandbox_nobody_is_asked(as_alice, alice, lesson, hosts, worker, state):
    if state:
        start(alice, lesson, state)
    answer = send(as_alice, lesson, value="5")
    assert answer.status_code == 422
    assert "Your sandbox is not running" in answer.content.decode()
    assert worker["asked"] == []


def test_bob_does_not_measure_alices_sandbox(as_bob, alice, lesson, hosts, worker):
    start(alice, lesson)
    assert send(as_bob, lesson).status_code == 422
    assert worker["asked"] == []


def test_charlie_signs_in_first(client, lesson, hosts, worker):
    assert send(client, lesson).status_code == 302
    assert worker["asked"] == []


@pytest.mark.parametrize(("value", "unit", "number"), [
    (5 << 20, "MiB", 5.0), (0.25, "ms", 250), (12, "processes", 12), (0, "KiB", 0), (None, "MiB", None), (True, "", None), ("5", "", None)])
def test_a_number_comes_in_the_lessons_unit(value, unit, number):
    assert facts.in_unit(value, unit) == number


def test_the_question_goes_to_the_sessions_worker_and_its_answer_comes_back(alice, lesson, redis_server, settings):
    session = start(alice, lesson)
    settings.REDIS_URL = redis_server.url
    bus = redis.Redis.from_url(redis_server.url)
    wishes = bus.pubsub(ignore_subscribe_messages=True)
    wishes.subscribe(protocol.facts_wish_channel(str(session.id)))
    heard = []

    def answer():
        while not heard:
            if message := wishes.get_message(timeout=1):
                _, name, expression = message["data"].decode().split(" ", 2)
                heard.append(expression)
                bus.publish(protocol.facts_answer_channel(str(session.id), "another"), json.dumps({"value": 1}))
                bus.publish(protocol.facts_answer_channel(str(session.id), name), json.dumps({"value": 42}))
    worker = threading.Thread(target=answer)
    worker.start()
    assert agent_client.ask_facts(session, ASKED) == 42
    worker.join()
    assert heard == [ASKED]


def test_a_worker_that_does_not_answer_is_none_in_time(alice, lesson, redis_server, settings, monkeypatch):
    settings.REDIS_URL = redis_server.url
    monkeypatch.setattr(agent_client, "ANSWER_SECONDS", 0.3)
    session = start(alice, lesson)
    assert agent_client.ask_facts(session, ASKED) is None
    redis_server.kill()
    try:
        assert agent_client.ask_facts(session, ASKED) is None
    finally:
        redis_server.start()


def test_one_question_of_a_session_at_a_time_holds_a_thread(as_alice, alice, bob, lesson, hosts, monkeypatch):
    session, others = start(alice, lesson), start(bob, lesson)
    begun, may_end, asked = threading.Event(), threading.Event(), []

    def ask(session, expression):
        asked.append(session.id)
        begun.set()
        assert session.id != asked[0] or may_end.wait(20)
        return 5 << 20
    monkeypatch.setattr(agent_client, "_ask_facts", ask)
    first = threading.Thread(target=agent_client.ask_facts, args=(session, ASKED))
    first.start()
    assert begun.wait(20)
    answer = send(as_alice, lesson)
    assert (answer.status_code, "being read already" in answer.content.decode()) == (422, True)
    assert agent_client.ask_facts(others, ASKED) == 5 << 20
    may_end.set()
    first.join()
    assert send(as_alice, lesson).status_code == 302
    assert asked == [session.id, others.id, session.id]
