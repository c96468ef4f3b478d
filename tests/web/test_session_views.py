"""The session's addresses for its owner, another student and a stranger."""

import pytest

from labs import sessions
from labs.models import LabSession

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}
ACTIONS = ["extension/", "end/", "restart/"]


def test_alice_sees_and_ends_her_session(client, alice, lesson, asked):
    url = f"/sessions/{sessions.start(alice, lesson).id}/"
    client.force_login(alice)
    assert client.get(url).json()["state"] == "queued"
    assert client.post(url + "extension/", headers=JSON).status_code == 409
    assert client.post(url + "end/", headers=JSON).json()["state"] == "ended"


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
