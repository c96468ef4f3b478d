"""The capacity page: a plain answer from what this site has measured."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone as site_time

from labs.models import LabSession
from labs.sight import capacity
from tests.web.conftest import LAB

pytestmark = pytest.mark.django_db


@pytest.fixture
def ran(alice, lesson):
    """``ran(count, start_seconds, minutes)`` writes that many ended sessions."""
    def write(count: int, start: float = 1.0, minutes: float = 30.0) -> None:
        now = site_time.now()
        for _ in range(count):
            queued = now - timedelta(hours=2)
            ready = queued + timedelta(seconds=start)
            LabSession.objects.create(user=alice, lesson=lesson, lab=LAB, lab_digest="d", state="ended", queued_at=queued,
                                      asked_at=queued, ready_at=ready, ended_at=ready + timedelta(minutes=minutes))
    return write


def in_an_hour():
    return site_time.now() + timedelta(hours=1)


@pytest.mark.parametrize(("seats", "fits"), [(5, True), (6, True), (7, False)])
def test_places_decide(hosts, seats, fits):
    found = capacity.answer(seats, in_an_hour())
    assert found["fits"] is fits
    assert found["sentences"][0].startswith("Yes: 6 of 6" if fits else "No: 6 of 6 places will be free, 1 student would")


def test_a_sandbox_that_will_still_run_takes_its_place(hosts, alice, bob, lesson):
    now = site_time.now()
    for user, minutes in ((alice, 30), (bob, 90)):
        LabSession.objects.create(user=user, lesson=lesson, lab=LAB, lab_digest="d", state="ready", queued_at=now, asked_at=now,
                                  expires_at=now + timedelta(minutes=minutes))
    assert capacity.answer(5, in_an_hour())["free"] == 5
    assert not capacity.answer(6, in_an_hour())["fits"]


def test_without_a_host_the_answer_is_no(hosts):
    hosts.clear()
    assert capacity.answer(1, in_an_hour())["sentences"] == ["No: no worker host is running."]


def test_what_was_not_measured_is_not_made_up(hosts, ran):
    ran(capacity.MIN_MEASURED - 1)
    assert "not known yet" in capacity.answer(3, in_an_hour())["sentences"][-1]
    assert capacity.cost() is None


def test_the_last_of_a_rush_waits_for_those_before(hosts, ran):
    ran(capacity.MIN_MEASURED, start=2.0)
    assert capacity.answer(4, in_an_hour())["wait_seconds"] == 2.0
    assert capacity.answer(5, in_an_hour())["wait_seconds"] == 4.0


def test_a_session_costs_its_share_of_a_host(hosts, ran, settings):
    ran(capacity.MIN_MEASURED, minutes=30)
    found = capacity.cost()
    assert (found["minutes"], found["host_hours"], found["price"]) == (30, pytest.approx(0.5 / 6), None)
    settings.HOST_HOUR_PRICE = 0.12
    assert capacity.cost()["price"] == pytest.approx(0.01)


def test_the_program_among_the_students_does_not_make_sessions_cheap(hosts, ran, alice):
    ran(capacity.MIN_MEASURED)
    alice.username = "synthetic-student"
    alice.save()
    assert capacity.cost() is None


def test_only_those_with_a_place_are_in_the_rush(hosts, ran):
    ran(capacity.MIN_MEASURED, start=2.0)
    assert capacity.answer(30, in_an_hour())["wait_seconds"] == 4.0


def test_the_median_and_the_slowest_of_twenty():
    values = list(range(1, 21))
    assert (capacity.percentile(values, 0.5), capacity.percentile(values, 0.95), capacity.percentile([7], 0.95)) == (10, 19, 7)


def test_nine_is_the_next_nine(settings):
    ten = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
    assert capacity.next_time("9:00", ten) == datetime(2026, 5, 5, 9, 0, tzinfo=UTC)
    assert capacity.next_time("10:01", ten) == datetime(2026, 5, 4, 10, 1, tzinfo=UTC)


def test_the_page_answers_staff_and_nobody_else(client, ines, alice, hosts):
    assert client.get("/operator/capacity/").status_code == 302
    client.force_login(alice)
    assert client.get("/operator/capacity/").status_code == 403
    client.force_login(ines)
    page = client.get("/operator/capacity/", {"seats": "30", "at": "09:00"}).content.decode()
    assert "No: 6 of 6 places will be free, 24 students would wait in the queue." in page


@pytest.mark.parametrize("query", [{"seats": "0"}, {"seats": "many"}, {"seats": "10001"}, {"at": "25:00"}, {"at": "soon"}])
def test_what_is_no_number_or_time_is_said(client, ines, hosts, query):
    client.force_login(ines)
    answer = client.get("/operator/capacity/", query)
    assert answer.status_code == 422
    assert "Give a number of seats" in answer.content.decode()
