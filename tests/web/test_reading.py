"""Sections read: remembered, shown, taken back, and where one goes on."""

import pytest

from labs import progress, reading, views
from labs.models import Lesson, ReadingMark, TaskResult

pytestmark = pytest.mark.django_db
STEPS = [{"id": "", "title": "", "blocks": []}] + [{"id": f"s{n}", "title": f"Step {n}", "blocks": []} for n in (1, 2, 3)]


@pytest.fixture
def text(lesson):
    lesson.document = {"steps": STEPS}
    lesson.save()
    return lesson


def where(user):
    from labs.models import Course
    modules = progress.of(user, views.modules_of(Course.objects.first()))
    found = progress.where_to_continue(user, [lesson for module in modules for lesson in module["lessons"]])
    return found["continue_url"], found["continue_step"], found["continue_started"]


def test_a_section_is_remembered_and_shown(as_alice, text, hosts):
    address = f"{text.get_absolute_url()}reading/"
    assert as_alice.post(address, {"step": "s1", "quiet": "yes"}).status_code == 204
    assert as_alice.post(address, {"step": "s1", "quiet": "yes"}).status_code == 204
    assert ReadingMark.objects.count() == 1
    page = as_alice.get(text.get_absolute_url()).content.decode()
    assert "1 of 3 sections read" in page
    assert page.count(" data-read>") == 1
    assert "1 of 3 sections read" in as_alice.get("/").content.decode()


def test_a_whole_lesson_is_marked_and_taken_back(as_alice, text, hosts):
    as_alice.post(f"{text.get_absolute_url()}reading/")
    assert "3 of 3 sections read" in as_alice.get(text.get_absolute_url()).content.decode()
    as_alice.post(f"{text.get_absolute_url()}reading/removal/")
    assert ReadingMark.objects.count() == 0


def test_an_unknown_section_is_refused(as_alice, text):
    assert as_alice.post(f"{text.get_absolute_url()}reading/", {"step": "s9"}).status_code == 404


def test_one_reads_for_oneself(as_bob, alice, text, hosts):
    reading.mark(alice, text, "s1")
    assert "0 of 3 sections read" in as_bob.get(text.get_absolute_url()).content.decode()
    as_bob.post(f"{text.get_absolute_url()}reading/removal/")
    assert ReadingMark.objects.count() == 1


def test_charlie_reads_without_marks(client, text, hosts):
    assert "data-reading" not in client.get(text.get_absolute_url()).content.decode()
    assert client.post(f"{text.get_absolute_url()}reading/").url.startswith("/accounts/login/")


def test_going_on_leads_behind_the_section_read_last(alice, text):
    url = text.get_absolute_url()
    assert where(alice) == (url, "", False)
    reading.mark(alice, text, "s2")
    assert where(alice) == (f"{url}#s3", "Step 3", True)
    reading.mark(alice, text, "s3")
    assert where(alice) == (f"{url}#s1", "Step 1", True)
    reading.mark(alice, text, "s1")
    assert where(alice) == (url, "", True)


def test_a_lesson_without_a_lab_is_done_when_it_is_read(alice, text):
    text.lab = None
    text.save()
    other = Lesson.objects.create(module=text.module, slug="next", title="Next", document={"steps": STEPS})
    reading.mark(alice, text, "")
    assert where(alice)[0] == other.get_absolute_url()


def test_a_lesson_with_a_lab_is_done_when_its_tasks_are(alice, text):
    other = Lesson.objects.create(module=text.module, slug="next", title="Next", document={"steps": STEPS}, position=1)
    for task in text.lab["tasks"]:
        TaskResult.objects.create(user=alice, lesson=text, task=task["id"], passed_at="2026-01-01T00:00Z")
    assert where(alice)[0] == other.get_absolute_url()
