"""The self-test on real sandboxes: it passes on a sound host, and turns red when a defence is taken away."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from runtime_agent import bundle, sandbox, selftest

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_sandbox_of_each_runtime_holds(agent, runtime):
    assert selftest.test(replace(agent, runtime=runtime)).faults == ()


def test_it_leaves_nothing_behind(agent):
    selftest.test(agent)
    assert list(agent.sandboxes_dir.glob("*/*/")) == []


def test_a_sandbox_without_a_filter_does_not_pass(agent, monkeypatch):
    process, config = bundle.process, bundle.config

    def weak(*arguments):
        built = config(*arguments)
        built["linux"].pop("seccomp")
        return built

    monkeypatch.setattr(bundle, "config", weak)
    monkeypatch.setattr(bundle, "process", lambda *arguments: {**process(*arguments), "noNewPrivileges": False})
    faults = selftest.test(agent).faults
    assert any("not filtered" in fault for fault in faults)
    assert any("gain privileges" in fault for fault in faults)


def test_a_runtime_is_chosen_and_remembered(agent, monkeypatch):
    assert selftest.choose(replace(agent, runtime="auto")).runtime == "crun"
    monkeypatch.setattr(selftest, "test", lambda chosen: pytest.fail("tested again"))
    assert selftest.choose(replace(agent, runtime="auto")).runtime == "crun"


def test_a_sandbox_is_removed_by_the_runtime_that_made_it(make, agent):
    from tests.sandbox.machines import specification
    other = replace(agent, runtime="runc")
    box = sandbox.create(other, specification("standard"))
    assert sandbox.find(agent, box.session_id, "box").settings.runtime == "runc"
    sandbox.delete(agent, box.session_id, "box")
    assert not list((agent.run_dir / "agent" / "runtime").glob(f"*{box.session_id}*"))


def test_the_doctor_names_what_it_found(agent):
    done = subprocess.run([sys.executable, "-m", "runtime_agent", "doctor"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "BULKHEAD_STATE_DIR": str(agent.state_dir),
                               "BULKHEAD_RUN_DIR": str(agent.run_dir), "BULKHEAD_CGROUP": agent.cgroup,
                               "BULKHEAD_SLOT_BASE": str(agent.slot_base)}, cwd=bundle.__file__.rpartition("/")[0] + "/..")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS     Self-test crun" in done.stdout
