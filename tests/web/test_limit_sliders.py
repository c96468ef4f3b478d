"""Moving limits: the owner only, only what the lab allows, only within its bounds."""

import pytest
from django.urls import reverse

from labs import sessions
from labs.limit_sliders import limit_sliders
from labs.models import LabSession

pytestmark = pytest.mark.django_db(transaction=True)
MACHINE = {"memory_bytes": 256 << 20, "cpus": 0.5, "pids": 100}


@pytest.fixture
def session(alice, lesson, asked, told):
    lesson.lab = {**lesson.lab, "machines": {"box": MACHINE, "other": {**MACHINE, "pids": 64}},
                  "limits": {**lesson.lab["limits"], "student": ["memory", "cpus", "pids"]}}
    lesson.save()
    session = sessions.start(alice, lesson)
    LabSession.objects.filter(pk=session.pk).update(state="ready", host="h1")
    asked.clear()
    return LabSession.objects.get(pk=session.pk)


def send(client, session, **fields):
    return client.post(reverse("session-limits", args=[session.id]), {"machine": "box", **fields}).status_code


def test_alice_moves_her_limits(as_alice, session, asked):
    assert send(as_alice, session, memory="64") == 202
    assert send(as_alice, session, cpus="0.25", pids="20") == 202
    assert [message[2]["wishes"] for message in asked] == [{"memory_bytes": 64 << 20}, {"cpus": 0.25, "pids": 20}]
    assert asked[0][:2] == ("agent.limits", "agent.h1")


def test_bob_and_charlie_do_not(as_bob, client, session, asked):
    assert send(as_bob, session, memory="64") == 404
    as_bob.logout()
    assert send(as_bob, session, memory="64") == 302
    assert asked == []


@pytest.mark.parametrize(("fields", "status"), [
    ({"memory": "15"}, 400), ({"memory": "16"}, 202), ({"memory": "256"}, 202), ({"memory": "257"}, 400), ({"cpus": "0.51"}, 400),
    ({"pids": "64"}, 202), ({"pids": "65"}, 400), ({"pids": "nan"}, 400), ({"memory": "x"}, 400), ({}, 400), ({"disk": "5"}, 400),
    ({"memory": "64", "machine": "nowhere"}, 409)])
def test_bounds(as_alice, session, fields, status):
    assert send(as_alice, session, **fields) == status


def test_what_the_lab_does_not_name_can_not_be_moved(as_alice, session):
    LabSession.objects.filter(pk=session.pk).update(lab={**session.lab, "limits": {**session.lab["limits"], "student": ["cpus"]}})
    assert send(as_alice, session, memory="64") == 400
    assert [slider["name"] for slider in limit_sliders(LabSession.objects.get(pk=session.pk).lab)] == ["cpus"]


def test_a_sandbox_that_does_not_run_has_no_limits_to_move(as_alice, session):
    LabSession.objects.filter(pk=session.pk).update(state="ended")
    assert send(as_alice, session, memory="64") == 409
