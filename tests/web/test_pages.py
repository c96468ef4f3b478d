"""What pages say to whom, and in which order they offer things."""

import re

import pytest

from labs import sessions
from labs.models import HintTaken, LabSession

pytestmark = pytest.mark.django_db(transaction=True)


def hint(number):
    return {"kind": "hint", "id": f"first-{number}", "number": number, "html": f"<p>text {number}</p>"}


@pytest.fixture
def hinted(lesson):
    lesson.document = {"steps": [{"id": "first", "title": "First", "blocks": [hint(1), hint(2), hint(3)]}]}
    lesson.save()
    return lesson


def offered(client, user, lesson):
    client.force_login(user)
    return re.findall(r"/hints/([\w-]+)/", client.get(lesson.get_absolute_url()).content.decode())


def test_hints_are_offered_one_after_the_other(client, alice, hinted, hosts):
    assert offered(client, alice, hinted) == ["first-1"]
    HintTaken.objects.create(user=alice, lesson=hinted, hint="first-1")
    assert offered(client, alice, hinted) == ["first-2"]


def test_a_hint_s_form_asks_for_the_next_one_too(client, alice, hinted, hosts):
    client.force_login(alice)
    page = client.get(hinted.get_absolute_url()).content.decode()
    assert 'data-pick="#hint-first-1 #hint-first-2"' in page
    assert "text 1" not in page


@pytest.mark.parametrize(("reason", "is_offered"), [("start-failed", True), ("no-worker", True), ("unknown-image", False)])
def test_trying_again_is_offered_where_it_can_help(client, alice, lesson, asked, reason, is_offered):
    sessions.start(alice, lesson)
    LabSession.objects.update(state="failed", reason=reason)
    client.force_login(alice)
    assert ("Try again</button>" in client.get(lesson.get_absolute_url()).content.decode()) is is_offered


def test_one_s_progress_lists_one_s_sandboxes_and_ends_them(client, alice, bob, lesson, asked):
    session = sessions.start(alice, lesson)
    client.force_login(bob)
    assert str(session.id) not in client.get("/me/").content.decode()
    client.force_login(alice)
    assert f"/sessions/{session.id}/end/" in client.get("/me/").content.decode()
    assert client.post(f"/sessions/{session.id}/end/", {"from": "progress"}).url == "/me/"


def test_the_operator_s_page_is_for_staff(client, alice, hosts):
    assert client.get("/operator/").url.startswith("/accounts/login/")
    client.force_login(alice)
    assert client.get("/operator/").status_code == 403
    alice.is_staff = True
    alice.save()
    assert client.get("/operator/").status_code == 200


def test_the_admin_site_has_no_sign_in_page_of_its_own(client):
    assert client.get("/admin/login/").url.startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["login/", "signup/", "password/reset/", "confirm-email/", "inactive/"])
def test_every_account_page_is_in_the_site_s_design(client, db, path):
    assert 'class="site-bar"' in client.get(f"/accounts/{path}").content.decode()
