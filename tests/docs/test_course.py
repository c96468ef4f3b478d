"""docs/course.md is what the lessons say today, and every claim of the course has a lesson with tasks."""

from pathlib import Path

import pytest

from labs.course import claims, loader, overview
from labs.course.__main__ import main

PROJECT = Path(__file__).resolve().parent.parent.parent
CONTENT, PAGE = PROJECT / "labs/content", PROJECT / "docs/course.md"


@pytest.fixture(scope="module")
def course():
    return loader.load_course(CONTENT / "virtualization-and-containers")[0]


def test_the_page_is_current_but_for_what_was_measured(course):
    text = PAGE.read_text()
    again = overview.page([course], PROJECT / "labs/images", {}, {}, text)
    assert again == text, "docs/course.md is older than the lessons: ./lab overview"


def test_a_new_measurement_takes_the_place_of_the_old_one_and_nothing_else(course):
    text = PAGE.read_text()
    again = overview.page([course], PROJECT / "labs/images", {"mesos": 4711.0}, {"base": 4712}, text)
    assert "| 4711 |" in again
    assert "| base | - | 4712 |" in again
    assert overview.without_measures(again) == overview.without_measures(text)


def test_every_claim_has_a_lesson_with_tasks(course, capsys):
    lines, missing = claims.listing(course)
    assert missing == []
    assert [line for line in lines if line.startswith("s5 ")] == [
        "s5   3.5   Apache Mesos, offers instead of orders: cluster, offered, declined, finished, shared, limited"]
    assert main(["lint", "--claims", str(CONTENT)]) == 0
    assert capsys.readouterr().out.endswith("every claim has its lesson\n")


def test_a_claim_that_nobody_makes_good_is_named(tmp_path, capsys):
    home = tmp_path / "course"
    home.mkdir()
    (home / "course.yaml").write_text("title: Demo\nsummary: A demo.\nclaims: [c1]\nmodules: []\n")
    assert main(["lint", "--claims", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "c1   -     no lesson with a task makes it good\nno lesson for: c1\n"
