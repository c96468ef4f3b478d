"""Starting a step over: who may, what is asked of the worker, what opens again, and what the page offers."""

import copy

import pytest

from labs import lesson_page, rewinding, sessions, timers
from labs.models import LabSession, TaskResult
from runtime_agent import protocol
from tests.web.conftest import LAB
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}


@pytest.fixture
def lesson(lesson):
    lesson.lab = copy.deepcopy(LAB)
    lesson.lab["tasks"] += [{"id": "land", "step": "two", "title": "Land", "points": 4, "needs": []},
                            {"id": "rest", "step": "three", "title": "Rest", "points": 1, "needs": []}]
    lesson.document = {"steps": [{"id": name, "title": f"Step {name}", "blocks": [
        {"kind": "task", "task": task["id"]} for task in lesson.lab["tasks"] if task["step"] == name]}
        for name in ("one", "two", "three", "reading")]}
    lesson.save()
    return lesson


@pytest.fixture
def ready(alice, lesson, asked):
    """Alice's sandbox, in step three: one and two are passed."""
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={}, points=[])
    for seq, task in enumerate(("look", "leap", "land"), 2):
        tell(session, "task_passed", seq, task=task, saw="it")
    points(session, 10, "two", "three")
    session.refresh_from_db()
    asked.clear()
    return session


def points(session, seq, *steps, skipped=None, **payload):
    return tell(session, "points", seq, points=[{"step": step, "bytes": 4096} for step in steps], skipped=skipped, **payload)


def states(session):
    return {result.task: (result.state, result.points) for result in TaskResult.objects.filter(session=session)}


def test_a_step_with_a_copy_and_the_first_one_can_be_started_over(ready):
    assert [step for step in ("one", "two", "three", "reading", "nowhere") if rewinding.can_start_over(ready, step)] == [
        "one", "two", "three"]


def test_a_rewind_asks_the_host_of_the_files_for_the_next_generation(ready, asked):
    session = rewinding.rewind(ready.id, "two")
    assert (session.state, session.generation) == ("queued", 1)
    (task, queue, arguments), = asked
    assert (task, queue) == (protocol.TASK_CREATE, "agent.h1")
    assert arguments == {"session_id": str(ready.id), "generation": 1, "lab": ready.lab_digest, "resume": True, "point": "two"}


def test_tasks_of_earlier_steps_stay_passed_later_ones_open_and_points_stay_earned(ready):
    rewinding.rewind(ready.id, "two")
    assert states(ready) == {"look": ("passed", 5), "leap": ("passed", 3), "land": ("open", 4)}
    ready.refresh_from_db()
    assert set(ready.points) == {"two"}


def test_going_back_to_the_first_step_opens_everything(ready):
    rewinding.rewind(ready.id, "one")
    assert {state for state, _ in states(ready).values()} == {"open"}
    ready.refresh_from_db()
    assert ready.points == {}


def test_the_old_run_is_not_heard_any_more(ready):
    rewinding.rewind(ready.id, "two")
    assert not tell(ready, "task_passed", 20, task="rest", saw="it")
    assert not points(ready, 21, "three")


def test_two_clicks_are_one_rewind(ready, asked):
    rewinding.rewind(ready.id, "two")
    with pytest.raises(sessions.Refused, match="wrong-state"):
        rewinding.rewind(ready.id, "two")
    assert len(asked) == 1


def test_a_lost_request_is_asked_again_with_its_point_and_a_later_resume_without(ready, asked):
    from datetime import timedelta

    from django.utils import timezone
    rewinding.rewind(ready.id, "two")
    timers.watch(timezone.now() + timedelta(seconds=25))
    assert [message[2].get("point") for message in asked] == ["two", "two"]
    tell(ready, "ready", 30, generation=1, facts={}, points=[{"step": "two", "bytes": 1}])
    sessions.end(ready.id)
    tell(ready, "removed", 31, generation=1, kept=True, bytes=5)
    sessions.resume(ready.id)
    assert "point" not in asked[-1][2]


def test_what_the_worker_has_when_it_is_ready_is_what_can_be_started_over(ready):
    rewinding.rewind(ready.id, "three")
    tell(ready, "ready", 30, generation=1, facts={}, points=[{"step": "three", "bytes": 1}])
    ready.refresh_from_db()
    assert [step for step in ("one", "two", "three") if rewinding.can_start_over(ready, step)] == ["one", "three"]


@pytest.mark.parametrize(("step", "hosts_there", "reason"), [
    ("reading", True, "no-point"), ("", True, "no-point"), ("two", False, "no-worker")])
def test_what_can_not_be_done_is_refused_and_changes_nothing(ready, asked, hosts, step, hosts_there, reason):
    if not hosts_there:
        hosts.clear()
    with pytest.raises(sessions.Refused, match=reason):
        rewinding.rewind(ready.id, step)
    ready.refresh_from_db()
    assert (ready.state, ready.generation, asked) == ("ready", 0, [])
    assert states(ready)["land"] == ("passed", 4)


def test_a_worker_without_the_copy_leaves_the_files_to_resume(ready):
    rewinding.rewind(ready.id, "two")
    tell(ready, "failed", 30, generation=1, reason="no-point")
    ready.refresh_from_db()
    assert ready.state == "ended"
    assert sessions.can_resume(ready)


# --- the page ---------------------------------------------------------------------------------------------


def test_bob_finds_nothing_and_charlie_is_sent_to_sign_in(client, bob, ready):
    url = f"/sessions/{ready.id}/rewind/"
    assert client.post(url, {"step": "two"}).status_code == 302
    client.force_login(bob)
    assert client.post(url, {"step": "two"}).status_code == 404
    ready.refresh_from_db()
    assert ready.generation == 0


def test_alice_starts_a_step_over_from_the_page(as_alice, ready, lesson):
    answer = as_alice.post(f"/sessions/{ready.id}/rewind/", {"step": "two"})
    assert (answer.status_code, answer.url) == (302, lesson.get_absolute_url())
    refused = as_alice.post(f"/sessions/{ready.id}/rewind/", {"step": "two"}, headers=JSON)
    assert refused.status_code == 409
    assert refused.json()["reason"] == "wrong-state"


def test_the_page_offers_it_in_the_steps_that_have_begun(as_alice, ready, lesson):
    html = as_alice.get(lesson.get_absolute_url()).content.decode()
    assert html.count("Start this step over<span") == 3
    rewinding.rewind(ready.id, "two")
    assert "Start this step over<span" not in as_alice.get(lesson.get_absolute_url()).content.decode()


def test_a_broken_task_offers_its_step(as_alice, ready, lesson):
    tell(ready, "task_broken", 40, task="rest", why="no bed")
    assert as_alice.get(lesson.get_absolute_url()).content.decode().count("Start this step over<span") == 4


@pytest.mark.parametrize("reason", list(protocol.POINT_SKIPPED))
def test_the_page_says_why_a_step_can_not_be_started_over(as_alice, ready, lesson, reason, told):
    points(ready, 40, "two", skipped={"step": "three", "reason": reason})
    assert told[-1] == (ready.id, {"type": "points"})
    html = as_alice.get(lesson.get_absolute_url()).content.decode()
    assert "be started over alone: " + protocol.POINT_SKIPPED[reason].replace("'", "&#x27;") in html
    assert html.count("Start this step over<span") == 2


@pytest.mark.parametrize("payload", [
    {"points": "two"}, {"points": [{"step": "two"}]}, {"points": [{"step": 2, "bytes": 1}]},
    {"points": [{"step": "two", "bytes": -1}]}, {"points": [], "skipped": {"step": "two", "reason": "whim"}},
    {"points": [{"step": "x" * 201, "bytes": 1}]}, {"points": [{"step": "two", "bytes": 1}] * 65}])
def test_points_of_another_shape_are_refused(ready, payload):
    with pytest.raises(protocol.ProtocolError, match="bad-payload"):
        tell(ready, "points", 40, **{"skipped": None, **payload})
    assert set(LabSession.objects.get().points) == {"two", "three"}


def test_charlie_is_offered_nothing(client, ready, lesson):
    assert lesson_page.document  # the page is built for a reader without a session
    assert "Start this step over" not in client.get(lesson.get_absolute_url()).content.decode()
