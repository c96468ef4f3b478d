"""The attack list's HOST parts: what has to be seen from outside, attack by attack, in both profiles."""

import time
from pathlib import Path

import pytest

from runtime_agent import attacks, sandbox
from runtime_agent.attack_list import read
from runtime_agent.checks import Examiner
from runtime_agent.lab import Script
from tests.sandbox import host_view
from tests.sandbox.host_view import HostView

pytestmark = [pytest.mark.sandbox, pytest.mark.parametrize("profile", ["standard", "nested"])]
ATTACKS = {attack.id: attack for attack in read(attacks.DEFAULT_LIST)}
DELETE_SECONDS = 10
CHECK_SECONDS = 5


@pytest.mark.parametrize("id_", ["RES-15", "LIFE-03", "LIFE-04"])
def test_deleting_wins_and_everything_returns(agent, make, profile, id_):
    before = HostView.take(agent)
    box = make(profile)
    attacks.attempt(agent, box, ATTACKS[id_])
    assert host_view.processes(agent)
    began = time.monotonic()
    sandbox.delete(agent, box.session_id, box.machine)
    assert time.monotonic() - began < DELETE_SECONDS
    assert HostView.take(agent) == before


def test_a_tracer_inside_reaches_nobody_outside(agent, make, shell, profile):
    box = make(profile)
    before = HostView.take(agent).traced
    shell(box, "python3 -c \"import ctypes as c,time;l=c.CDLL(None);print(l.syscall(101,16,1,0,0),flush=True);time.sleep(20)\" "
               "</dev/null >/tmp/traced 2>&1 & until [ -s /tmp/traced ]; do sleep .05; done")
    assert HostView.take(agent).traced == before


@pytest.fixture
def examine(agent, make, tmp_path):
    """``examine(profile, attack, script)``: what a check made of ``script`` sees after the attack, and how fast."""
    def run(profile: str, id_: str, script: str):
        (tmp_path / "look.sh").write_text(script)
        tmp_path.chmod(0o755)
        box = make(profile, checks_dir=tmp_path)
        attacks.attempt(agent, box, ATTACKS[id_])
        began = time.monotonic()
        passed, text = Examiner(agent).ask(box, Script("checks/look.sh", "root", CHECK_SECONDS))
        return passed, text, time.monotonic() - began
    return run


def test_a_check_follows_no_link_out_of_the_sandbox(examine, profile):
    canary = Path("/var/tmp/bulkhead-HOSTCANARY")
    canary.write_text("HOSTCANARY\n")
    try:
        passed, text, _ = examine(profile, "FS-02", "cat /root/all/var/tmp/bulkhead-HOSTCANARY "
                                                    "/proc/1/root/var/tmp/bulkhead-HOSTCANARY /root/answer.txt 2>/dev/null | "
                                                    "grep -c HOSTCANARY")
    finally:
        canary.unlink()
    assert (passed, text) == (False, "0")


def test_a_check_that_reads_a_fifo_ends_at_its_limit(examine, profile):
    passed, text, seconds = examine(profile, "FS-02", "cat /root/fifo")
    assert (passed, text) == (False, f"the check took longer than {CHECK_SECONDS} s")
    assert seconds < CHECK_SECONDS + 3


def test_what_a_check_prints_is_capped(examine, profile):
    passed, text, seconds = examine(profile, "FS-04", "cat /root/huge.json")
    assert passed
    assert len(text) <= 2000
    assert seconds < CHECK_SECONDS


def test_a_hard_link_to_the_image_changes_only_the_own_copy(agent, make, shell, profile):
    before = host_view.image_digest(agent)
    first, second = make(profile), make(profile)
    attacks.attempt(agent, first, ATTACKS["FS-05"])
    assert host_view.image_digest(agent) == before
    assert "x" not in shell(second, "tail -1 /etc/passwd").output.split("\n")
