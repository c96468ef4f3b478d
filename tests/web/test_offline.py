"""The lessons in a ZIP file: whole, readable without scripts and without anything from outside."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client, override_settings

from labs import course_loading, offline
from labs.course import loader
from labs.models import Course

pytestmark = pytest.mark.django_db
CONTENT = Path(__file__).resolve().parent.parent.parent / "labs" / "content" / "virtualization-and-containers"


@pytest.fixture(scope="module")
def course():
    return loader.load_course(CONTENT)[0]


@pytest.fixture(scope="module")
def archive(course, tmp_path_factory, django_db_setup, django_db_blocker):
    """The bundle of the course of this repository, as a browser gets it; made once, and nothing stays in the database."""
    with django_db_blocker.unblock(), transaction.atomic(), override_settings(PUBLISHED_DIR=tmp_path_factory.mktemp("site")):
        course_loading.load(course, 0)
        answer = Client().get(f"/offline/{CONTENT.name}.zip")
        transaction.set_rollback(True)
    assert answer.headers["Content-Type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_every_lesson_is_a_page_and_every_link_leads_somewhere(archive, course):
    pages = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".html")}
    assert len(pages) == sum(len(module.lessons) for module in course.modules) + 1
    for name, text in pages.items():
        for target in re.findall(r'(?:href|src)="([^"#]+)', text):
            is_outside = target.startswith(("http:", "https:", "mailto:"))
            assert is_outside or target.startswith("css/") or target in pages, (name, target)


def test_nothing_needs_a_script_a_server_or_a_form(archive):
    text = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".html"))
    assert "<script" not in text
    assert "<form" not in text
    assert "csrf" not in text


def test_the_same_course_makes_the_same_bytes(course, settings, tmp_path):
    settings.PUBLISHED_DIR = tmp_path
    course_loading.load(course, 0)
    first = offline.bundle(Course.objects.get())
    offline._bundle.cache_clear()
    assert offline.bundle(Course.objects.get()) == first


def test_a_course_that_is_not_there_is_not_found(client):
    assert client.get("/offline/none.zip").status_code == 404


def test_lines_to_be_put_in_order_are_asked_in_another_one_and_answered_in_theirs(archive):
    page = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("-a-container-by-hand.html"))
    question, _, answer = page.partition("In which order were the rungs needed here?")[2].partition("<details")
    asked, right = re.findall("<li>(.*?)</li>", question), re.findall("<li>(.*?)</li>", answer.partition("</details>")[0])
    assert sorted(asked) == sorted(right) and asked != right


def test_text_for_some_hosts_says_for_which(archive):
    page = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("-lxc.html"))
    assert "Where cgroup is 1:" in page and "Where cgroup is 2:" in page


def test_pages_say_the_numbers_by_which_lessons_call_each_other(archive):
    assert ">1.4 Walls</a>" in archive.read("index.html").decode()
    assert "Virtualization, lesson 1.4" in archive.read("04-walls.html").decode()


def test_what_can_be_played_with_says_where(archive):
    assert "To play with, on the site" in archive.read("01-one-server-many-machines.html").decode()


def test_no_exam_is_in_it(archive):
    assert not [name for name in archive.namelist() if "exam" in name]
