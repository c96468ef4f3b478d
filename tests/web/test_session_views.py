"""The session's addresses for its owner, another student and a stranger."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labs import sessions, timers
from labs.models import LabSession
from runtime_agent import protocol

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}
ACTIONS = ["extension/", "end/", "restart/"]


def test_alice_sees_and_ends_her_session(client, alice, lesson, asked):
    url = f"/sessions/{sessions.start(alice, lesson).id}/"
    client.force_login(alice)
    assert client.get(url).json()["state"] == "queued"
    assert client.post(url + "extension/", headers=JSON).status_code == 409
    assert client.post(url + "end/", headers=JSON).json()["state"] == "ended"


@pytest.mark.parametrize(("files", "minutes"), [("", 7 * 24 * 60), ("throw-away", sessions.UNDO_MINUTES)])
def test_a_sandbox_is_ended_in_one_of_two_ways_and_both_can_be_undone(client, alice, lesson, asked, files, minutes):
    session = sessions.start(alice, lesson)
    LabSession.objects.update(state="ready", host="h1")
    client.force_login(alice)
    before = timezone.now()
    client.post(f"/sessions/{session.id}/end/", {"files": files})
    session.refresh_from_db()
    assert 0 <= (session.kept_until - before - timedelta(minutes=minutes)).total_seconds() < 60
    assert [arguments["keep"] for task, _, arguments in asked if task == protocol.TASK_DELETE] == [True]
    LabSession.objects.update(state="ended")
    html = client.get(session.lesson.get_absolute_url()).content.decode()
    assert ("Undo: keep the files" in html) == bool(files)
    assert sessions.can_resume(LabSession.objects.get())


def test_what_was_thrown_away_and_not_undone_is_deleted(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    LabSession.objects.update(state="ready", host="h1")
    sessions.throw_away(session.id)
    LabSession.objects.update(state="ended")
    timers.watch(timezone.now() + timedelta(minutes=sessions.UNDO_MINUTES - 1))
    assert LabSession.objects.get().kept_until
    timers.watch(timezone.now() + timedelta(minutes=sessions.UNDO_MINUTES + 1))
    assert LabSession.objects.get().kept_until is None
    assert [arguments["keep"] for task, _, arguments in asked if task == protocol.TASK_DELETE] == [True, False]


def test_alice_closes_a_terminal_and_nobody_else_can(client, alice, bob, lesson, asked):
    session = sessions.start(alice, lesson)
    session.terminals.create(number=0, machine="box")
    LabSession.objects.update(state="ready", host="h1")
    url = f"/sessions/{session.id}/terminals/0/end/"
    client.force_login(bob)
    assert client.post(url).status_code == 404
    client.force_login(alice)
    assert client.post(f"/sessions/{session.id}/terminals/5/end/").status_code == 404
    assert client.post(url).status_code == 204
    assert [(task, arguments["number"]) for task, _, arguments in asked if "close" in task] == [("agent.close_terminal", 0)]


def test_a_terminal_whose_shell_has_ended_is_opened_again_under_its_number(client, alice, lesson, asked):
    session = sessions.start(alice, lesson)
    for number in (0, 1):
        session.terminals.create(number=number, machine="box", state="open")
    LabSession.objects.update(state="ready", host="h1")
    client.force_login(alice)
    url = f"/sessions/{session.id}/terminals/"
    answers = [client.post(url, {"number": wanted}).json()["number"] for wanted in ("1", "7", "x", "")]
    assert answers == [1, 2, 3, 4]


@pytest.mark.parametrize("action", ACTIONS)
def test_bob_finds_nothing_and_charlie_is_sent_to_sign_in(client, alice, bob, lesson, asked, action):
    url = f"/sessions/{sessions.start(alice, lesson).id}/"
    assert client.post(url + action).status_code == client.get(url).status_code == 302
    client.force_login(bob)
    assert client.post(url + action).status_code == client.get(url).status_code == 404
