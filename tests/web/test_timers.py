"""What the clock does to sessions, each limit from both sides."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labs import sessions, timers
from labs.models import LabSession
from runtime_agent import protocol
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(alice, lesson, asked, told):
    return sessions.start(alice, lesson)


@pytest.fixture
def ready(session):
    tell(session, "ready", 1, facts={})
    session.refresh_from_db()
    return session


def later(**amount):
    return timezone.now() + timedelta(**amount)


def state_of(session):
    session.refresh_from_db()
    return session.state, session.reason


@pytest.mark.parametrize(("seconds", "warned"), [(601, None), (600, 10), (301, 10), (300, 5), (61, 5), (60, 1), (1, 1)])
def test_each_warning_comes_at_its_minute(ready, told, seconds, warned):
    LabSession.objects.update(seen_at=ready.expires_at)
    timers.watch(ready.expires_at - timedelta(seconds=seconds))
    assert [notice["minutes"] for _, notice in told if notice["type"] == "warning"] == ([warned] if warned else [])


def test_a_warning_is_said_once_and_again_after_extending(ready, told):
    LabSession.objects.update(seen_at=ready.expires_at)
    for _ in range(2):
        timers.watch(ready.expires_at - timedelta(minutes=9))
    sessions.extend(ready.id)
    ready.refresh_from_db()
    timers.watch(ready.expires_at - timedelta(minutes=9))
    assert [notice["minutes"] for _, notice in told if notice["type"] == "warning"] == [10, 10]


@pytest.mark.parametrize(("seconds", "state"), [(1, "ready"), (0, "ending"), (-1, "ending")])
def test_the_planned_end(ready, seconds, state):
    LabSession.objects.update(seen_at=ready.expires_at)
    timers.watch(ready.expires_at - timedelta(seconds=seconds))
    assert state_of(ready)[0] == state


@pytest.mark.parametrize(("more", "state"), [(-1, "ready"), (0, "ready"), (1, "ending")])
def test_an_orphan_ends(ready, settings, more, state):
    timers.watch(ready.seen_at + timedelta(seconds=settings.SESSION_ORPHANED_SECONDS + more))
    assert state_of(ready)[0] == state


def test_an_overdue_start_fails_and_is_removed(session, asked, settings):
    tell(session, "stage", 1, stage="placed")
    timers.watch(later(seconds=settings.SESSION_OVERDUE_SECONDS - 5))
    assert state_of(session)[0] == "starting"
    timers.watch(later(seconds=settings.SESSION_OVERDUE_SECONDS + 5))
    assert state_of(session) == ("failed", "overdue")
    assert asked[-1][:2] == (protocol.TASK_DELETE, "agent.h1")


def test_a_queue_that_nobody_serves_is_given_up(session, hosts, settings):
    hosts.clear()
    timers.watch(later(seconds=settings.SESSION_OVERDUE_SECONDS - 5))
    assert state_of(session)[0] == "queued"
    timers.watch(later(seconds=settings.SESSION_OVERDUE_SECONDS + 5))
    assert state_of(session) == ("failed", "no-worker")


@pytest.mark.parametrize(("used", "requests"), [(5, 2), (6, 1)])
def test_a_queued_start_is_asked_for_again_only_while_a_place_is_free(session, asked, hosts, settings, used, requests):
    hosts["h1"]["used"] = used
    timers.watch(later(seconds=settings.SESSION_NUDGE_SECONDS + 5))
    assert len(asked) == requests


@pytest.mark.parametrize(("more", "requests"), [(-1, 1), (0, 1), (1, 2)])
def test_a_start_is_given_its_time_before_it_is_asked_for_again(session, asked, settings, more, requests):
    timers.watch(session.asked_at + timedelta(seconds=settings.SESSION_NUDGE_SECONDS + more))
    assert len(asked) == requests


def test_an_end_that_sticks_is_asked_for_again_while_its_host_lives(ready, asked, hosts, settings):
    sessions.end(ready.id)
    hosts["h1"]["used"] = hosts["h1"]["capacity"]  # which is no reason to wait: an end makes room
    due = later(seconds=settings.SESSION_NUDGE_SECONDS + 5)
    timers.watch(due)
    assert [(task, arguments["keep"]) for task, _, arguments in asked[1:]] == [(protocol.TASK_DELETE, True)] * 2
    hosts.clear()
    timers.watch(due + timedelta(hours=1))
    assert len(asked) == 3


def test_a_disk_is_dropped_when_its_time_is_over_and_only_once(ready, asked):
    sessions.end(ready.id)
    tell(ready, "removed", 2, kept=True)
    ready.refresh_from_db()
    timers.watch(ready.kept_until - timedelta(seconds=1))
    before = len(asked)
    for _ in range(2):
        timers.watch(ready.kept_until + timedelta(seconds=1))
    assert asked[before:] == [(protocol.TASK_DELETE, "agent.h1", {"session_id": str(ready.id), "keep": False, "newest": 0})]
    assert not sessions.can_resume(LabSession.objects.get())


def test_a_failed_resume_keeps_the_disk(ready, asked):
    sessions.end(ready.id)
    tell(ready, "removed", 2, kept=True)
    sessions.resume(ready.id)
    tell(ready, "failed", 3, generation=1, reason="start-failed")
    assert state_of(ready) == ("ended", "start-failed")
    assert sessions.can_resume(ready)


@pytest.mark.parametrize(("more", "state"), [(0, "ready"), (1, "ending")])
def test_a_lab_may_ask_for_a_shorter_idle_time(ready, more, state):
    LabSession.objects.update(lab={**ready.lab, "limits": {**ready.lab["limits"], "idle": 5}})
    timers.watch(ready.seen_at + timedelta(minutes=5, seconds=more))
    assert state_of(ready)[0] == state
