"""One's own number among the others': shown from five people on, and never who they are."""

import pytest
from django.urls import reverse

from labs import numbers
from labs.models import Measurement

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(as_alice, alice, lesson, hosts, django_user_model):
    """What Alice's page holds when she and so many others have measured."""
    lesson.document = {"steps": [{"id": "one", "title": "One", "blocks": [
        {"kind": "measure", "id": "start", "unit": "ms", "label": "A start", "command": "time x", "facts": ""}]}]}
    lesson.save()

    def show(others: int) -> str:
        for number in range(others):
            user, _ = django_user_model.objects.get_or_create(username=f"student-{number}")
            Measurement.objects.update_or_create(user=user, lesson=lesson, block="start", defaults={"value": 10 * (number + 1)})
        Measurement.objects.update_or_create(user=alice, lesson=lesson, block="start", defaults={"value": 15})
        return as_alice.get(reverse("lesson", args=["c", "m", "l"])).content.decode()
    return show


def test_four_people_are_no_class(page):
    assert "people measured" not in page(3)


def test_five_people_are_one_without_names(page):
    text = page(4)
    assert "5 people measured from 10 to 40 ms; the middle is 20" in text
    assert "student-" not in text


def test_who_has_not_measured_sees_no_class(page, as_bob):
    page(6)
    assert "people measured" not in as_bob.get(reverse("lesson", args=["c", "m", "l"])).content.decode()


@pytest.mark.parametrize(("own", "place"), [(10, 10), (40, 290), (25, 150), (0, 10), (99, 290)])
def test_places_stay_on_the_strip(own, place):
    assert numbers.beside(own, [10, 20, 30, 35, 40])["own_at"] == place
    assert numbers.beside(5, [5] * 5)["own_at"] == 150
