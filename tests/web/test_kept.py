"""What is kept of ended sandboxes: listed, deleted, expired, and dropped when it is too much."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labs import kept, sessions, timers
from labs.models import LabSession
from runtime_agent import protocol
from runtime_agent.protocol.reasons import REASONS
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)
MIB = 1 << 20


def ended(user, lesson, minutes_ago: int, size: int) -> LabSession:
    """A session of ``user`` that was put away."""
    lesson.pk, lesson.slug = None, f"lesson-{minutes_ago}"
    lesson.save()
    session = sessions.start(user, lesson)
    tell(session, "ready", 1, facts={})
    sessions.end(session.id)
    LabSession.objects.filter(pk=session.id).update(ended_at=timezone.now() - timedelta(minutes=minutes_ago))
    tell(session, "removed", 2, kept=True, bytes=size)
    session.refresh_from_db()
    return session


def test_the_progress_page_lists_them_with_size_and_expiry(as_alice, alice, bob, lesson, asked):
    ended(alice, lesson, 1, 3 * MIB)
    ended(bob, lesson, 2, 7 * MIB)
    html = as_alice.get("/me/").content.decode()
    assert "3.0\xa0MiB" in html
    assert "7.0\xa0MiB" not in html
    assert "Resume" in html
    assert "Delete" in html


def test_without_any_the_page_says_what_will_be_here(as_alice, hosts):
    assert "listed here" in as_alice.get("/me/").content.decode()


def test_alice_deletes_one_once_and_bob_and_charlie_can_not(client, alice, bob, lesson, asked):
    session = ended(alice, lesson, 1, MIB)
    asked.clear()
    url = f"/sessions/{session.id}/disposal/"
    assert client.post(url).status_code == 302
    client.force_login(bob)
    assert client.post(url).status_code == 404
    assert asked == []
    client.force_login(alice)
    for _ in range(2):
        assert client.post(url, {"from": "progress"}).url == "/me/"
    assert [(message[0], message[2]["keep"]) for message in asked] == [(protocol.TASK_DELETE, False)]
    session.refresh_from_db()
    assert not sessions.can_resume(session)


def test_a_running_sandbox_is_not_deleted_that_way(alice, lesson, asked):
    session = sessions.start(alice, lesson)
    with pytest.raises(sessions.Refused, match="wrong-state"):
        kept.dispose(session.id)


@pytest.mark.parametrize(("size", "left"), [(MIB // 2, 3), (MIB // 2 + 1, 2), (2 * MIB, 1)])
def test_what_ended_first_goes_when_a_user_keeps_too_much(alice, bob, lesson, asked, settings, size, left):
    settings.SESSION_KEPT_MIB = 1
    others = ended(bob, lesson, 9, 5 * MIB)
    first = ended(alice, lesson, 3, MIB // 4)
    ended(alice, lesson, 2, MIB // 4)
    last = ended(alice, lesson, 1, size)
    assert kept.of(alice).count() == left
    assert kept.of(alice)[0] == last
    assert kept.of(bob).get() == others
    first.refresh_from_db()
    assert first.reason == ("" if left == 3 else "made-room")


def test_the_owner_is_told_what_the_host_dropped(as_alice, alice, lesson, asked, told):
    session = ended(alice, lesson, 1, MIB)
    tell(session, "removed", 3, kept=False, bytes=0, reason="made-room")
    session.refresh_from_db()
    assert (session.state, session.kept_until, session.reason) == ("ended", None, "made-room")
    assert told[-1][1]["sentence"] == REASONS["made-room"].sentence
    assert "deleted to make room" in as_alice.get(session.lesson.get_absolute_url()).content.decode()
    assert "Resume" not in as_alice.get("/me/").content.decode()


def test_an_expired_one_says_so(as_alice, alice, lesson, asked):
    session = ended(alice, lesson, 1, MIB)
    timers.watch(session.kept_until + timedelta(seconds=1))
    session.refresh_from_db()
    assert session.reason == "expired"
    with pytest.raises(sessions.Refused, match="wrong-state"):
        sessions.resume(session.id)


def test_a_resume_whose_files_the_worker_has_not_is_not_offered_again(alice, lesson, asked):
    session = ended(alice, lesson, 1, MIB)
    sessions.resume(session.id)
    tell(session, "failed", 3, generation=1, reason="expired")
    session.refresh_from_db()
    assert (session.state, session.reason, session.kept_until) == ("failed", "expired", None)


def test_what_is_running_again_is_not_dropped(alice, lesson, asked, settings):
    settings.SESSION_KEPT_MIB = 1
    session = ended(alice, lesson, 1, 5 * MIB)
    sessions.resume(session.id)
    kept.make_room(alice)
    session.refresh_from_db()
    assert session.state == "queued"
    assert session.kept_bytes is None
