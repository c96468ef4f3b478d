"""`./lab down` finds what runs here by its file: a supervisor, and the services of one that was killed."""

import json
import os
import signal
import subprocess
import sys

import pytest

from deploy.lab import down, running
from deploy.lab.places import PROJECT, Places, SetupError
from tests.instance import wait_until

SUPERVISOR = """
import asyncio, io, signal, sys
from pathlib import Path
from deploy.lab.places import Places
from deploy.lab.services import Service
from deploy.lab.supervisor import Supervisor

signal.signal(signal.SIGHUP, signal.SIG_DFL)
root = Path(sys.argv[1])
services = [Service(name, ["/bin/sh", "-c", line], {"PATH": "/usr/bin:/bin"}, as_root=True)
            for name, line in zip(sys.argv[2::2], sys.argv[3::2])]

async def when_up(_):
    (root / "up").touch()

found = Supervisor(Places(root, root / "state", root / "run"), services, io.StringIO())
asyncio.run(found.run(when_up, when_down=(root / "down").touch))
"""


@pytest.fixture
def places(tmp_path):
    (tmp_path / "run").mkdir()
    return Places(tmp_path, tmp_path / "state", tmp_path / "run")


@pytest.fixture
def supervise(places):
    """``supervise(one="exec sleep 1000")`` runs a supervisor of that service in a process of its own."""
    begun = []

    def begin(**services):
        words = [word for pair in services.items() for word in pair]
        begun.append(subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(places.project), *words], cwd=PROJECT))
        wait_until(lambda: (places.project / "up").exists() and len(noted(places)) == len(services), 20, "the supervisor")
        return begun[-1]
    yield begin
    for pid in [child.pid for child in begun if child.poll() is None] + noted(places):
        if running.start_ticks(pid):
            os.kill(pid, signal.SIGKILL)
    for child in begun:
        child.wait()


def deaf(told):
    """A line of shell that nothing but SIGKILL ends, from when the file ``told`` is there."""
    return f"trap '' TERM; touch {told}; while :; do sleep 1000 & wait; done"


def noted(places):
    """The pids of the services that the file names."""
    file = places.run / "supervisor.json"
    return [pid for pid, _ in json.loads(file.read_text())["services"]] if file.exists() else []


def test_where_nothing_was_started_nothing_runs(places):
    assert running.running_pid(places) is None
    assert running.stop(places) is False


def test_a_supervisor_ends_its_services_and_does_what_follows_before_it_is_gone(places, supervise):
    child = supervise(one="exec sleep 1000", two="exec sleep 1000")
    services = noted(places)
    assert running.running_pid(places) == child.pid
    assert running.stop(places) is True
    assert (places.project / "down").exists()
    assert child.wait(20) == 0
    assert [pid for pid in services if running.start_ticks(pid)] == []
    assert running.running_pid(places) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_a_request_to_end_and_a_closed_terminal_do_the_same_as_down(places, supervise, number):
    child = supervise(one="exec sleep 1000")
    services = noted(places)
    child.send_signal(number)
    assert child.wait(20) == 0
    assert (places.project / "down").exists()
    assert [pid for pid in services if running.start_ticks(pid)] == []


def test_services_of_a_killed_supervisor_count_as_running_and_are_ended(places, supervise):
    child = supervise(one="exec sleep 1000", two="exec sleep 1000")
    services = noted(places)
    child.kill()
    child.wait()
    assert running.running_pid(places) == services[0]
    assert running.stop(places) is True
    assert [pid for pid in services if running.start_ticks(pid)] == []
    assert running.stop(places) is False


def test_one_that_does_not_listen_is_killed(places, supervise, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "SERVICE_SECONDS", 0.3)
    child = supervise(one=deaf(tmp_path / "deaf"))
    wait_until((tmp_path / "deaf").exists, 20, "the trap")
    services = noted(places)
    child.kill()
    child.wait()
    running.stop(places)
    assert [pid for pid in services if running.start_ticks(pid)] == []


def test_a_supervisor_that_does_not_end_is_said(places, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "SUPERVISOR_SECONDS", 0.3)
    with subprocess.Popen(["/bin/sh", "-c", deaf(tmp_path / "deaf")], start_new_session=True) as child:
        wait_until((tmp_path / "deaf").exists, 20, "the trap")
        (places.run / "supervisor.json").write_text(json.dumps({"pid": child.pid, "ticks": running.start_ticks(child.pid)}))
        with pytest.raises(SetupError, match=f"pid {child.pid} does not end"):
            running.stop(places)
        os.killpg(child.pid, signal.SIGKILL)


def test_another_process_that_has_got_the_number_is_left_alone(places):
    with subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True) as child:
        (places.run / "supervisor.json").write_text(json.dumps(
            {"pid": child.pid, "ticks": 1, "services": [[child.pid, 1], [child.pid, None]]}))
        assert running.running_pid(places) is None
        assert running.stop(places) is False
        assert child.poll() is None
        child.kill()


def test_a_process_that_nobody_has_waited_for_has_ended(places):
    child = subprocess.Popen(["/bin/true"])
    wait_until(lambda: running.start_ticks(child.pid) is None, 20, "its end")
    assert child.wait() == 0


def test_a_torn_file_names_nobody(places):
    (places.run / "supervisor.json").write_text('{"pid": 4')
    assert running.running_pid(places) is None


def test_down_ends_spares_whether_or_not_anything_ran_and_sandboxes_only_when_told(places, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(down, "find", lambda: places)
    monkeypatch.setattr(down, "is_root", lambda: True)
    monkeypatch.setattr(down, "reap", lambda places, *options: asked.append(options) or 0)
    assert down.down(with_sandboxes=False) == 0
    assert down.down(with_sandboxes=True) == 0
    assert asked == [(), ("--sandboxes",)]
    assert "does not run here" in capsys.readouterr().out
    monkeypatch.setattr(down, "reap", lambda places, *options: 1)
    with pytest.raises(SetupError, match="not everything has ended"):
        down.down(with_sandboxes=False)


def test_without_root_there_are_no_sandboxes_to_end(places, monkeypatch):
    monkeypatch.setattr(down, "find", lambda: places)
    monkeypatch.setattr(down, "is_root", lambda: False)
    assert down.reap(places) == 0
    with pytest.raises(SetupError, match="sudo ./lab down --sandboxes"):
        down.down(with_sandboxes=True)
