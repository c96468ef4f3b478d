"""What lessons give to play with: right without scripts, and beginning with the student's own number."""

import json
from pathlib import Path

import pytest

from labs import widgets
from labs.models import Measurement

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "widgets.json").read_text())
BLOCKS = [{"kind": "measure", "id": "busy-percent", "unit": "%", "label": "How busy", "command": ""},
          {"kind": "widget", "name": "calculator", "source": "busy-percent", "html": "<p>Play.</p>"},
          {"kind": "widget", "name": "scheduler", "source": "", "html": "<p>Place.</p>"}]


@pytest.mark.parametrize("case", GOLDEN["plan"])
def test_a_plan_is_as_in_the_golden_file(case):
    found = widgets.plan(case["servers"], case["busy"], case["target"], case["cost"])
    assert (found["needed"], found["saved"]) == (case["needed"], case["saved"])


@pytest.mark.parametrize("case", GOLDEN["first_fit"])
def test_machines_are_placed_as_in_the_golden_file(case):
    assert widgets.first_fit(case["sizes"], case["room"], case["hosts"]) == case["found"]


@pytest.fixture
def played(lesson):
    lesson.document = {"steps": [{"id": "one", "title": "Step one", "blocks": BLOCKS}]}
    lesson.save()
    return lesson


@pytest.mark.django_db
def test_charlie_finds_worked_examples_without_scripts(client, played):
    html = client.get(played.get_absolute_url()).content.decode()
    assert "By promise they take 3 hosts" in html
    assert "<td>7</td><td>21,000</td><td>99,000</td>" in html
    assert "yours" not in html


@pytest.mark.django_db
def test_the_calculator_begins_with_the_readers_own_number(as_alice, alice, played):
    Measurement.objects.create(user=alice, lesson=played, block="busy-percent", value=12)
    html = as_alice.get(played.get_absolute_url()).content.decode()
    assert 'value="12.0"' in html
    assert "yours" in html
    assert "<td>8</td><td>24,000</td><td>96,000</td>" in html
