"""Which labs may run on gVisor, and that it is used only where a sandbox of it holds."""

from dataclasses import replace

import pytest

from runtime_agent import content, gvisor, selftest, settings
from runtime_agent.settings import SettingsError
from tests.agent.labs import lab_document, publish, task
from tests.agent.test_selftest import CAPABILITIES, said

QUESTION = {"facts": "processes[?comm == 'sleep'] | [0]", "saw": "{comm}", "timeout": 5}


@pytest.fixture
def agent(tmp_path):
    return settings.load({"BULKHEAD_STATE_DIR": str(tmp_path), "BULKHEAD_RUNTIME": "crun", "BULKHEAD_STANDARD_RUNTIME": "runsc"})


def lab_of(tmp_path, **changes):
    return content.load_lab(tmp_path, publish(tmp_path, lab_document(**changes)))


def nested() -> dict:
    machine = lab_document()["machines"]["box"]
    return {"machines": {"box": {**machine, "profile": "nested"}}}


@pytest.mark.parametrize(("changes", "suits"), [
    ({}, True),
    (nested(), False),
    ({"networks": [{"name": "lan", "machines": ["box"], "subnet": "10.0.0.0/24"}]}, False),
    ({"previews": [{"title": "Web", "machine": "box", "port": 80}]}, False),
    ({"tasks": [task("one", "first"), {**task("two", "first"), "check": QUESTION}]}, False),
], ids=["plain", "nested", "network", "preview", "facts"])
def test_only_labs_that_need_nothing_of_the_kernel_suit(tmp_path, agent, changes, suits):
    lab = lab_of(tmp_path, **changes)
    assert gvisor.suits(lab, "box") is suits
    assert gvisor.settings_for(agent, lab, "box").runtime == ("runsc" if suits else "crun")


def test_without_the_setting_nothing_runs_on_it(tmp_path, agent):
    assert gvisor.settings_for(replace(agent, standard_runtime=""), lab_of(tmp_path), "box").runtime == "crun"


@pytest.mark.parametrize("value", ["crun", "gvisor", "auto"])
def test_the_setting_takes_no_other_word(value):
    with pytest.raises(SettingsError, match="BULKHEAD_STANDARD_RUNTIME"):
        settings.load({"BULKHEAD_STANDARD_RUNTIME": value})


@pytest.mark.parametrize(("faults", "used"), [((), "runsc"), (("the image's own programs do not work in it",), "")])
def test_one_that_does_not_hold_is_not_used_and_the_log_says_why(agent, monkeypatch, caplog, faults, used):
    monkeypatch.setattr(selftest, "remembered", lambda chosen: selftest.Outcome(chosen.runtime, faults, 5))
    assert selftest.choose_standard(agent).standard_runtime == used
    assert ("image's own programs" in caplog.text) is bool(faults)


def test_one_that_is_not_installed_is_not_used(agent, monkeypatch, caplog):
    monkeypatch.setattr("runtime_agent.conmon.PATH", "/nonexistent")
    assert selftest.choose_standard(agent).standard_runtime == ""


def test_the_kernel_that_it_plays_is_judged_by_what_counts():
    played = said(mapped="0", seccomp="0", no_new_privs="", links="", nodes="null fuse net")
    assert selftest.judge(played, is_gvisor=True) == []
    assert len(selftest.judge(played)) == 5


@pytest.mark.parametrize(("name", "value"), [("user", "1000"), ("capabilities", "0" * 16), ("writes", ""), ("lists", "")])
def test_what_must_hold_there_too_is_found(name, value):
    assert CAPABILITIES != "0" * 16
    assert len(selftest.judge(said(**{name: value}), is_gvisor=True)) == 1
