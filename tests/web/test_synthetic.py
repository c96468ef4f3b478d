"""The synthetic student where it can't succeed: it says in which step and why. Its whole way is in tests/browser/test_sight.py."""

import pytest
from django.core.management import CommandError, call_command

from labs.models import Lesson
from labs.sight import counters, synthetic
from tests.instance import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bus(redis_server):
    counters.bus().flushdb()


def test_without_a_lab_there_is_nothing_to_walk():
    result = synthetic.walk()
    assert (result["ok"], result["failed"], result["why"]) == (False, "page", "no lesson with a lab is published")
    assert synthetic.last() == result


def test_a_site_that_does_not_answer_is_told_and_counted(lesson, settings):
    settings.SYNTHETIC_URL = f"http://127.0.0.1:{free_port()}"
    result = synthetic.walk()
    assert (result["failed"], result["seconds"]) == ("page", {})
    assert "refused" in result["why"]
    assert counters.read()[f"{counters.WALKS}|failed"] == 1


def test_the_command_fails_with_the_walk(lesson, settings):
    settings.SYNTHETIC_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match="failed in the step page"):
        call_command("synthetic")


def test_the_account_has_no_password(lesson, django_user_model):
    assert synthetic.sign_in() != synthetic.sign_in()
    assert not django_user_model.objects.get(username=synthetic.USERNAME).has_usable_password()


def test_a_lesson_may_be_chosen(lesson, settings):
    other = Lesson.objects.create(module=lesson.module, slug="other", title="O", lab={}, lab_digest="e" * 64, position=9)
    assert synthetic.chosen() == lesson
    settings.SYNTHETIC_LESSON = "m/other"
    assert synthetic.chosen() == other


def test_the_operator_sees_the_last_walk(client, ines, hosts):
    client.force_login(ines)
    assert "No synthetic student has walked here yet" in client.get("/operator/").content.decode()
    synthetic.keep({"at": 0.0, "ok": False, "failed": "terminal", "why": "timed <out>", "seconds": {}})
    assert "in the step “terminal”: timed &lt;out&gt;." in client.get("/operator/").content.decode()
