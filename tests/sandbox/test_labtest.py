"""The lab test on real sandboxes: green where a lab is good, red for each way in which it can be bad."""

from __future__ import annotations

import os
import secrets

import pytest

from runtime_agent import cgroup, labtest, sandbox, settings
from tests.agent.labs import lab_document, publish, task
from tests.instance import CACHE

pytestmark = pytest.mark.sandbox


@pytest.fixture
def host(tmp_path):
    """The settings of a private agent that borrows the images built for this machine; its groups go at the end."""
    agent = tmp_path / "state" / "agent"
    agent.mkdir(parents=True)
    (tmp_path / "state" / "content").mkdir()
    (agent / "images").symlink_to(CACHE / "agent" / "images")
    name = f"bhtest-{secrets.token_hex(3)}"
    yield settings.load({**os.environ, "BULKHEAD_STATE_DIR": str(tmp_path / "state"),
                         "BULKHEAD_RUN_DIR": str(tmp_path / "run"), "BULKHEAD_CGROUP": name,
                         "BULKHEAD_HOST": name, "BULKHEAD_SLOT_BASE": str(2000 + secrets.randbelow(1000) * 16)})
    cgroup.Group(name).remove()


def verdict(host, capsys, document=None, files=None):
    """(exit status, what was printed) of testing one lab; nothing may be left of it."""
    status = labtest.main(host, [publish(host.content_dir, document, files)])
    assert list(sandbox.living(host)) == []
    assert list((host.agent_dir / "sandboxes").iterdir()) == []
    return status, capsys.readouterr().out


def solution(**lines):
    return [{"step": step, "blocks": [{"machine": "box", "code": code, "interrupt": False}]}
            for step, code in lines.items()]


def test_a_good_lab_is_green(host, capsys):
    status, printed = verdict(host, capsys)
    assert status == 0, printed
    assert printed.count("  passed  first") == 3
    assert printed.count("  passed  again") == 3
    assert "green" in printed


def test_a_solution_may_nest_shells_read_input_and_leave_a_program_running(host, capsys):
    first = "sh\ncat > /tmp/one <<END\nx\nEND\ntouch /tmp/two\nexit\nsleep 1000"
    document = lab_document(solutions=[
        {"step": "first", "blocks": [{"machine": "box", "code": first, "interrupt": False}]},
        {"step": "second", "blocks": [{"machine": "box", "code": "touch /tmp/three", "interrupt": True}]}])
    status, printed = verdict(host, capsys, document)
    assert status == 0, printed


def test_a_solution_that_does_not_solve_is_red_and_shows_the_screen(host, capsys):
    status, printed = verdict(host, capsys, lab_document(solutions=solution(first="touch /tmp/one", second="true")))
    assert status == 1
    assert "first/two (first): not passed: no two" in printed
    assert "touch /tmp/one" in printed


def test_a_task_that_is_passed_from_the_start_is_red(host, capsys):
    status, printed = verdict(host, capsys, files={"checks/three.sh": "echo always\n"})
    assert status == 1
    assert "three: passed before anything was typed (always)" in printed


def test_a_step_that_solves_a_later_one_is_red(host, capsys):
    document = lab_document(solutions=solution(first="touch /tmp/one /tmp/two /tmp/three", second="true"))
    status, printed = verdict(host, capsys, document)
    assert status == 1
    assert "second/three: passed already after step 'first'" in printed


def test_a_check_that_takes_too_long_is_red(host, capsys):
    slow = task("one", "first", check={"run": "checks/one.sh", "user": "root", "timeout": 1})
    document = lab_document(tasks=[slow], steps=["first"], solutions=solution(first="touch /tmp/one"))
    status, printed = verdict(host, capsys, document, {"checks/one.sh": "while :; do :; done\n"})
    assert status == 1
    assert "the check took longer than 1 s" in printed


def test_a_fail_script_that_fires_is_red(host, capsys):
    entry = task("one", "first", fail={"run": "checks/two.sh", "user": "root", "timeout": 5})
    document = lab_document(tasks=[entry], steps=["first"], solutions=solution(first="touch /tmp/two"))
    status, printed = verdict(host, capsys, document)
    assert status == 1
    assert "task_broken" in printed


def test_a_lab_of_two_machines_is_solved_through_its_network(host, capsys):
    box = lab_document()["machines"]["box"]
    serve = "cd /tmp && touch one two && (python3 -m http.server 8000 >/dev/null 2>&1 &)"
    fetch = "until python3 -c 'import urllib.request as u; u.urlopen(\"http://db:8000/one\")'; do sleep .2; done; touch /tmp/three"
    document = lab_document(
        machines={"web": {**box, "hostname": "web"}, "db": {**box, "hostname": "db"}},
        networks=[{"name": "lan", "machines": ["web", "db"], "subnet": "10.20.0.0/24"}],
        terminals=[{"title": "Web", "machine": "web"}, {"title": "Database", "machine": "db"}],
        tasks=[task("one", "first", machine="db"), task("two", "first", machine="db"), task("three", "second", machine="web")],
        solutions=[{"step": "first", "blocks": [{"machine": "db", "code": serve, "interrupt": False}]},
                   {"step": "second", "blocks": [{"machine": "web", "code": fetch, "interrupt": False}]}])
    status, printed = verdict(host, capsys, document)
    assert status == 0, printed


def test_a_lab_that_is_not_there_is_red(host, capsys):
    assert labtest.main(host, ["0" * 64]) == 1
