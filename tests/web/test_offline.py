"""The lessons in a ZIP file: whole, readable without scripts and without anything from outside."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from labs import course_loading, offline
from labs.course import loader
from labs.models import Course, Lesson

pytestmark = pytest.mark.django_db
CONTENT = Path(__file__).resolve().parent.parent.parent / "labs" / "content" / "virtualization-and-containers"


@pytest.fixture
def archive(client, settings, tmp_path):
    """The bundle of the course of this repository, as a browser gets it."""
    settings.PUBLISHED_DIR = tmp_path
    course_loading.load(loader.load_course(CONTENT)[0], 0)
    answer = client.get(f"/offline/{CONTENT.name}.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_every_lesson_is_a_page_and_every_link_leads_somewhere(archive):
    pages = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".html")}
    assert len(pages) == Lesson.objects.count() + 1
    for name, text in pages.items():
        for target in re.findall(r'(?:href|src)="([^"#]+)', text):
            is_outside = target.startswith(("http:", "https:", "mailto:"))
            assert is_outside or target.startswith("css/") or target in pages, (name, target)


def test_nothing_needs_a_script_a_server_or_a_form(archive):
    text = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".html"))
    assert "<script" not in text
    assert "<form" not in text
    assert "csrf" not in text


def test_the_same_course_makes_the_same_bytes(archive):
    course = Course.objects.get()
    first = offline.bundle(course)
    offline._bundle.cache_clear()
    assert offline.bundle(course) == first


def test_a_course_that_is_not_there_is_not_found(client):
    assert client.get("/offline/none.zip").status_code == 404
