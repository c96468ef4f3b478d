"""The dashboard and the alert rules name only series that a scrape of site or agent really has."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from labs.consumers import terminal  # noqa: F401  (its counter is part of the site's scrape)
from labs.sight import metrics as site
from labs.sight import synthetic
from runtime_agent import metrics as agent

FOLDER = Path(__file__).resolve().parent.parent.parent / "deploy" / "monitoring"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"][0]["rules"]
PANELS = json.loads((FOLDER / "grafana.json").read_text())["panels"]
SERIES = re.compile(r"\bbulkhead_\w+")

pytestmark = pytest.mark.django_db


@pytest.fixture
def known(redis_server, hosts, tmp_path):
    """The names of all series, read from the real exposition."""
    synthetic.keep({"at": 1.0, "ok": True, "failed": "", "why": "", "seconds": {"start": 1.0}})
    whole = CollectorRegistry(auto_describe=False)
    whole.register(agent.Host(1, lambda: 0, lambda: 0, tmp_path, tmp_path, lambda: True))
    agent.CREATE_SECONDS.observe(0.1)
    terminal.refused.labels("bad-frame")
    text = (site.exposition() + generate_latest(whole)).decode()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}


def test_every_series_of_the_rules_exists(known):
    named = {name for rule in RULES for name in SERIES.findall(rule["expr"])}
    assert len(named) >= 10
    assert named - known == set()


def test_every_series_of_the_dashboard_exists(known):
    named = {name for panel in PANELS for target in panel["targets"] for name in SERIES.findall(target["expr"])}
    assert len(named) >= 15
    assert named - known == set()


def test_every_rule_says_what_is_wrong_and_how_bad_it_is():
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "warning"}
    assert [rule["alert"] for rule in RULES if not rule["annotations"]["summary"]] == []
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_guide_says_what_to_look_at_when_one_comes():
    lines = re.findall(r"^\| (\w+(?:, \w+)*) \|", (FOLDER.parent.parent / "docs/sight.md").read_text(), re.MULTILINE)
    told = {f"Bulkhead{name}" for line in lines for name in line.split(", ")}
    assert {rule["alert"] for rule in RULES} - told == set()


def test_no_panel_lies_on_another():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)
