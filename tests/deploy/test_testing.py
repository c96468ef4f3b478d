"""How `./lab test` runs its stages: one that hangs is ended and told, one that leaves something behind is over."""

import contextlib
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from deploy.lab import testing
from deploy.lab.places import PROJECT, Places
from runtime_agent.settings import load


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


def test_the_front_end_s_tests_are_those_of_the_checkout(tmp_path, monkeypatch):
    """They ran as they were when the pages were built last: a golden frame that only Python had learned was green in JavaScript."""
    places = SimpleNamespace(project=tmp_path / "project", build=tmp_path / "build")
    for folder in (places.project, places.build):
        for name in ("static/tests", "tests/golden"):
            (folder / name).mkdir(parents=True)
            (folder / name / "one").write_text(f"of the {folder.name}")
    (places.build / "tests/golden/gone").touch()
    (places.build / "node_modules").mkdir()
    seen = []

    def npm(places, arguments):
        seen.extend((arguments, {str(path.relative_to(places.build)): path.read_text() for path in places.build.rglob("*") if path.is_file()}))
        return "ℹ pass 1\nℹ fail 0\n"
    monkeypatch.setattr(testing.programs, "npm", npm)
    assert testing.front_end(places) == (0, "1 passed, 0 failed")
    assert seen == [["test"], {"static/tests/one": "of the project", "tests/golden/one": "of the project"}]


@pytest.mark.parametrize("printed", ["ℹ pass 0\nℹ fail 0\n", "ℹ pass 3\nℹ fail 1\n", "nothing\n"])
def test_front_end_tests_that_fail_or_are_none_are_red(tmp_path, monkeypatch, printed):
    places = SimpleNamespace(project=tmp_path, build=tmp_path)
    (tmp_path / "node_modules").mkdir()
    monkeypatch.setattr(testing.programs, "bring_tests", lambda places: None, raising=False)
    monkeypatch.setattr(testing.programs, "npm", lambda *_: printed)
    assert testing.front_end(places)[0] == 1


@pytest.mark.parametrize("is_served", [False, True])
def test_what_is_about_the_checkout_does_not_read_an_old_copy_of_it(tmp_path, monkeypatch, is_served):
    """Where other users can't read the checkout, a copy is run; `./lab lint` and `bench` read what the last `up` had copied."""
    copied = []
    places = SimpleNamespace(project=tmp_path, python=tmp_path)
    monkeypatch.setattr(testing, "find", lambda: places)
    monkeypatch.setattr(testing.running, "running_pid", lambda places: 7 if is_served else None)
    monkeypatch.setattr(testing.units, "are_running", lambda: False)
    monkeypatch.setattr(testing.ground, "copy_code", copied.append)
    assert testing.current() is places
    assert copied == ([] if is_served else [tmp_path])


def test_the_postgres_stage_s_database_is_the_one_that_the_site_then_has(monkeypatch):
    """The tests of the stage can't tell: what they want is read from the same variable."""
    seen = {}
    monkeypatch.setattr(testing.postgres, "running", lambda: contextlib.nullcontext("postgres://bulkhead@%2Fthere/postgres"))
    monkeypatch.setattr(testing, "python", lambda places, *words, environment, limit: seen.update(environment) or (0, ""))
    testing.on_postgres(Places(PROJECT, PROJECT, PROJECT), [])
    asked = "from django.conf import settings; print(settings.DATABASES['default']['ENGINE'])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=PROJECT, capture_output=True, text=True,
                          env={**seen, "DJANGO_SETTINGS_MODULE": "labsite.settings"})
    assert done.stdout.strip() == "django.db.backends.postgresql", done.stderr


def test_tests_do_not_reach_the_redis_of_a_site_that_runs_here(tmp_path):
    """What a test sends by mistake would be worked: Celery's broker is read once, before any test can turn it away."""
    places = Places(PROJECT, tmp_path / "state", tmp_path / "run")
    url = testing.test_environment(places)["BULKHEAD_REDIS_URL"]
    assert url == f"unix://{tmp_path}/run-test/redis.sock?db=0"
    (tmp_path / "state/agent/site").mkdir(parents=True)
    (tmp_path / "state/agent/site/bus-url").write_text("unix://:secret@/run/bulkhead/redis.sock?db=0")
    assert load(testing.test_environment(places)).redis_url == url
