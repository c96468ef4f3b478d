"""What is set up is set up once."""

import shutil

import pytest

from deploy.lab import programs
from deploy.lab.places import Places


@pytest.fixture
def checkout(tmp_path):
    """``checkout(name)``: the places of one more checkout on the same state folder."""
    (tmp_path / "state").mkdir()

    def make(name: str) -> Places:
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").write_text("one==1")
        return Places(tmp_path / name, tmp_path / "state", tmp_path / "run")
    return make


def once(places, name, made, in_project=False):
    result = places.project / name if in_project else places.state / name

    def make(places):
        shutil.rmtree(result, ignore_errors=True)
        result.mkdir()
        made.append(places.project.name)
    programs._once(places, name, [places.project / "lock"], make, result if in_project else None)


def test_programs_are_made_once_and_again_for_another_lock_only(checkout, capsys):
    places, made = checkout("one"), []
    for _ in range(2):
        once(places, "venv", made)
    assert made == ["one"]
    (places.project / "lock").write_text("one==2")
    once(places, "venv", made)
    assert made == ["one", "one"]


def test_another_checkout_with_the_same_lock_takes_nobody_s_programs_away(checkout, capsys):
    """It removed the environment in which the first one's tests were running, and the other way around."""
    one, two, made = checkout("one"), checkout("two"), []
    for places in (one, two, one):
        once(places, "venv", made)
    assert made == ["one"]


def test_pages_lie_in_their_checkout_and_are_made_in_each(checkout, capsys):
    one, two, made = checkout("one"), checkout("two"), []
    for places in (one, two, two, one):
        once(places, "dist", made, in_project=True)
    assert made == ["one", "two", "one"]
