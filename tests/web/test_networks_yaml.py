"""Networks and previews in lab.yaml: what is read, and the line that is named when it can't be."""

import pytest

from labs.course.lab_yaml import LabFile

HEAD = "machines:\n  web: {}\n  db: {}\n"
TASKS = "tasks: [{id: t, step: s, title: T, check: {run: checks/t.sh}}]\n"


def read(tmp_path, text):
    """(document, ["line rule"]) of a lab with the machines web and db and one task."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "t.sh").write_text("true\n")
    (tmp_path / "lab.yaml").write_text(HEAD + text + TASKS)
    file = LabFile(tmp_path)
    document = file.document()
    return document, [f"{finding.line} {finding.rule}" for finding in file.findings]


def test_networks_and_previews_keep_the_order_of_the_file(tmp_path):
    document, findings = read(tmp_path, "networks:\n"
                                        "  lan: {machines: [web, db], subnet: 10.20.0.0/24}\n"
                                        "  back: {machines: [db], subnet: 172.16.0.0/30}\n"
                                        "previews: [{title: Shop, machine: db, port: 8080}]\n")
    assert findings == []
    assert document["networks"] == [{"name": "lan", "machines": ["web", "db"], "subnet": "10.20.0.0/24"},
                                    {"name": "back", "machines": ["db"], "subnet": "172.16.0.0/30"}]
    assert document["previews"] == [{"title": "Shop", "machine": "db", "port": 8080}]


def test_a_lab_without_networks_has_none(tmp_path):
    document, findings = read(tmp_path, "")
    assert (document["networks"], document["previews"], findings) == ([], [], [])


@pytest.mark.parametrize(("network", "rule"), [
    ("{machines: [web, db], subnet: 10.20.0.0/31}", "subnet"),
    ("{machines: [web], subnet: 10.20.0.5/24}", "subnet"),
    ("{machines: [web], subnet: lan}", "subnet"),
    ("{machines: [web], subnet: 1.2.3.0/24}", "subnet"),
    ("{machines: [web], subnet: 127.0.0.0/24}", "subnet"),
    ("{machines: [web], subnet: 10.30.0.0/16}", "subnet"),
    ("{machines: [web]}", "missing"),
    ("{subnet: 10.20.0.0/24}", "missing"),
    ("{machines: [web, dbb], subnet: 10.20.0.0/24}", "unknown-machine"),
    ("{machines: [web, web], subnet: 10.20.0.0/24}", "twice"),
    ("{machines: [web], subnet: 10.20.0.0/24, gateway: 10.20.0.1}", "unknown-key")])
def test_a_network_that_breaks_a_rule_is_named_with_its_line(tmp_path, network, rule):
    _, findings = read(tmp_path, f"networks:\n  first: {{machines: [web], subnet: 10.30.1.0/24}}\n  second: {network}\n")
    assert f"6 {rule}" in findings


def test_a_network_needs_a_name(tmp_path):
    _, findings = read(tmp_path, "networks:\n  My LAN: {machines: [web], subnet: 10.20.0.0/24}\n")
    assert findings == ["5 form"]


@pytest.mark.parametrize(("preview", "rule"), [
    ("{machine: web}", "missing"), ("{port: 0}", "form"), ("{port: 65536}", "form"), ("{port: http}", "form"),
    ("{port: 80, machine: wen}", "unknown-machine"), ("{port: 80, path: /}", "unknown-key")])
def test_a_preview_that_breaks_a_rule_is_named_with_its_line(tmp_path, preview, rule):
    _, findings = read(tmp_path, f"previews:\n  - {preview}\n")
    assert f"5 {rule}" in findings
