"""gVisor's real runsc, the releases of Debian 12 and 13: the one is refused and why is said, the other runs a lab's sandbox.

Both come from the host's own package sources, as the packages of images do; nothing is installed.
"""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_agent import conmon, debian, gvisor, sandbox, selftest, settings, spawn
from runtime_agent.keyboard import Keyboard
from runtime_agent.recipes import Deb
from tests.instance import wait_until
from tests.sandbox.machines import specification

pytestmark = pytest.mark.sandbox
TOO_OLD, GOOD = "bookworm", "trixie"


@pytest.fixture
def with_runsc(agent, tmp_path, monkeypatch):
    """``with_runsc(suite)``: the agent's settings with runsc of that release of Debian as its runtime."""
    def get(suite: str) -> settings.Settings:
        root = tmp_path / suite
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        apt = debian.Apt(settings.load(os.environ), root, lambda line: None, suite)
        apt.refresh()
        package = apt.fetch(Deb("runsc", suite), tmp_path)
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        monkeypatch.setattr(conmon, "PATH", f"{root}/usr/bin:{conmon.PATH}")
        return replace(agent, runtime=gvisor.RUNTIME)
    return get


def test_a_release_that_does_not_hold_is_refused_in_words(with_runsc, caplog):
    host = with_runsc(TOO_OLD)
    assert any(fault.startswith("the image's own programs do not work in it") for fault in selftest.test(host).faults)
    assert selftest.choose_standard(replace(host, standard_runtime=gvisor.RUNTIME)).standard_runtime == ""
    assert "BULKHEAD_STANDARD_RUNTIME=runsc does not hold and is not used: " in caplog.text
    assert "the image's own programs do not work in it" in caplog.text


def test_a_release_that_holds_runs_a_students_sandbox(with_runsc, shell):
    host = with_runsc(GOOD)
    assert selftest.test(host).faults == ()
    assert selftest.choose_standard(replace(host, standard_runtime=gvisor.RUNTIME)).standard_runtime == gvisor.RUNTIME
    box = sandbox.create(host, specification("standard"))
    try:
        played = shell(box, "uname -r; id -u; mkdir /root/made && ls /root").output
        assert played == "4.4.0\n0\nmade\n" != os.uname().release
        assert Path(f"/proc/{box.init_pid}/exe").resolve().name == "runsc"
        keys = Keyboard(spawn.adopt(spawn.open_terminal(host, box, 0, 24, 80)))
        keys.type_line("stty size", 20)
        wait_until(lambda: (keys.read_for(0.1), "24 80" in keys.tail())[1], 20, "the size of the terminal")
    finally:
        sandbox.delete(host, box.session_id, box.machine)
    assert not gvisor.state_of(conmon.run_dir(host) / gvisor.RUNTIME, box.container)
