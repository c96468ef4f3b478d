"""How `./lab test` runs its stages: one that hangs is ended and told, one that leaves something behind is over."""

import sys
import time
from types import SimpleNamespace

import pytest

from deploy.lab import testing


@pytest.fixture
def places(tmp_path):
    return SimpleNamespace(python=sys.executable, project=tmp_path)


def run(places, line: str, limit: float | None = None) -> tuple[int, str]:
    return testing.python(places, "-c", line, environment={"PYTHONUNBUFFERED": "1"}, limit=limit)


def test_status_and_output_come_back(places, capsys):
    assert run(places, "import sys; print('a'); print('b', file=sys.stderr); sys.exit(3)") == (3, "a\nb\n")
    assert capsys.readouterr().out == "a\nb\n"


def test_a_stage_that_hangs_is_red_and_keeps_what_it_printed(places, capsys):
    status, output = run(places, "import time; print('begun'); time.sleep(600)", limit=2)
    assert (status, output) == (-9, "begun\n")
    assert "stopped: not over after 2 s" in capsys.readouterr().out


def test_a_program_that_is_left_behind_is_not_waited_for(places, monkeypatch):
    monkeypatch.setattr(testing, "DRAIN_SECONDS", 0.2)
    began = time.monotonic()
    status, output = run(places, "import subprocess; print('over'); subprocess.Popen(['sleep', '20'])")
    assert (status, output) == (0, "over\n")
    assert time.monotonic() - began < 15


def test_one_red_stage_makes_the_whole_red(capsys):
    counted = {"passed": 5, "failed": 0, "skipped": 0}
    assert testing.report([("unit", 0, 1.0), ("sandbox", -9, 2.0)], counted) == 1
    assert "5 passed, 1 failed, 0 skipped" in capsys.readouterr().out
    assert testing.report([], counted) == 1
    assert testing.report([("unit", 0, 1.0)], counted) == 0
