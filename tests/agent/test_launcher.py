"""Shells that wait to become a conmon: they join first, obey once, and never outlive us."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from runtime_agent import launcher, proc
from runtime_agent.launcher import Launcher
from tests.instance import wait_until


@pytest.fixture
def host(monkeypatch):
    """A host without control groups; whatever waits for it is dismissed."""
    monkeypatch.setattr(launcher.conmon_group, "make", lambda top: None)
    chosen = SimpleNamespace(cgroup=f"none-{os.getpid()}")
    yield chosen
    launcher.stand_ready(chosen, 0)


def said(shell: Launcher) -> bytes:
    return os.read(shell.report, 100)


def test_it_joins_before_it_is_told_anything(tmp_path):
    procs = [tmp_path / "one procs", tmp_path / "two"]
    with Launcher(procs):
        wait_until(lambda: all(file.exists() and file.read_text() == "0\n" for file in procs), 10)


def test_it_becomes_what_it_is_told_with_our_descriptors_and_its_log(tmp_path):
    with Launcher([]) as shell:
        program = f"echo heard >&{shell.parking.fileno()}; echo \"$1\"; echo told >&$_OCI_SYNCPIPE; exit 3"
        shell.run(["/bin/bash", "-c", program, "name", "it's $HOME; \"quoted\""], tmp_path / "the log")
        assert said(shell) == b"told\n"
        assert shell.child.wait(10) == 3
        assert shell.ours.recv(10) == b"heard\n"
    assert (tmp_path / "the log").read_text() == "it's $HOME; \"quoted\"\n"


def test_what_it_becomes_runs_at_the_priority_asked_for(tmp_path):
    with Launcher([]) as shell:
        shell.run([sys.executable, "-c", "import os; os.write(int(os.environ['_OCI_SYNCPIPE']), b'%d' % os.nice(0))"],
                  tmp_path / "log", nice=7)
        assert said(shell) == b"7"


def test_a_program_that_is_not_there_leaves_an_empty_report(tmp_path):
    with Launcher([]) as shell:
        shell.run(["/nowhere"], tmp_path / "log")
        assert said(shell) == b""
        assert shell.child.wait(10) == 127
    assert "/nowhere" in (tmp_path / "log").read_text()


def test_one_that_waits_is_taken_before_a_new_one_is_made(host):
    launcher.stand_ready(host, 2)
    waiting = [shell.child.pid for shell in launcher._ready[host.cgroup]]
    with launcher.take(host) as first, launcher.take(host) as second, launcher.take(host) as third:
        assert [first.child.pid, second.child.pid] == waiting
        assert third.child.pid not in waiting


def test_one_that_died_is_not_given_out(host):
    launcher.stand_ready(host, 1)
    shell = launcher._ready[host.cgroup][0]
    shell.child.kill()
    wait_until(lambda: not shell.is_ready(), 10)
    with launcher.take(host) as other:
        assert other.is_ready() and other is not shell


def test_the_number_that_waits_follows_what_is_asked(host):
    for count in (3, 1, 2, 0):
        launcher.stand_ready(host, count)
        assert len(launcher._ready[host.cgroup]) == count


def test_none_outlives_an_agent_that_is_killed():
    program = ("import sys, time; from runtime_agent.launcher import Launcher\n"
               "shell = Launcher([]); print(shell.child.pid, flush=True); time.sleep(60)")
    agent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(agent.stdout.readline())
    agent.send_signal(signal.SIGKILL)
    agent.wait(10)
    wait_until(lambda: proc.start_ticks(pid) is None, 10)


def test_what_it_has_become_and_hangs_does_not_outlive_its_use(tmp_path):
    with Launcher([]) as shell:
        shell.run(["/bin/bash", "-c", "echo begun >&$_OCI_SYNCPIPE; exec sleep 1000"], tmp_path / "log")
        assert said(shell) == b"begun\n"
    assert shell.child.returncode == -signal.SIGKILL
