"""The self-test finds each weakness, remembers only what held, and takes the first runtime that holds."""

from dataclasses import replace

import pytest

from runtime_agent import profiles, selftest, settings
from runtime_agent.errors import AgentError

CAPABILITIES = f"{sum(1 << selftest.BITS[name] for name in profiles.STANDARD_CAPABILITIES):016x}"
SOUND = {"user": "0", "mapped": "1879048192", "seccomp": "2", "no_new_privs": "1", "capabilities": CAPABILITIES,
         "links": "lo ", "first": "/.bulkhead/bin/init -P ", "writes": "x", "lists": "yes", "nodes": "null zero pts "}


def said(**changes: str) -> str:
    return "\n".join(f"{name}={value}" for name, value in {**SOUND, **changes}.items())


@pytest.fixture
def agent(tmp_path):
    return settings.load({"BULKHEAD_STATE_DIR": str(tmp_path)})


@pytest.fixture
def tested(monkeypatch):
    """The runtimes that were really tested, and what each answers."""
    answers, asked = {"crun": (), "runc": ()}, []

    def test(chosen):
        asked.append(chosen.runtime)
        return selftest.Outcome(chosen.runtime, tuple(answers[chosen.runtime]), 5)

    monkeypatch.setattr(selftest, "test", test)
    monkeypatch.setattr(selftest, "_key", lambda chosen: [chosen.runtime, "this boot"])
    return answers, asked


def test_a_sound_sandbox_has_no_faults():
    assert selftest.judge(said()) == []


@pytest.mark.parametrize(("name", "value"), [
    ("user", "1000"), ("mapped", "0"), ("mapped", ""), ("seccomp", "0"), ("no_new_privs", "0"),
    ("capabilities", "000001ffffffffff"), ("links", "eth0 lo "), ("first", "bash "), ("writes", ""), ("nodes", "kvm null ")])
def test_each_weakness_is_found(name, value):
    assert len(selftest.judge(said(**{name: value}))) == 1


def test_no_answer_is_no_sound_sandbox():
    assert len(selftest.judge("")) == len(SOUND) - 1  # only devices can't be missed


def test_crun_is_chosen_where_it_holds(agent, tested):
    assert selftest.choose(agent).runtime == "crun"


def test_runc_is_chosen_where_crun_does_not_hold(agent, tested):
    tested[0]["crun"] = ["system calls are not filtered"]
    assert selftest.choose(agent).runtime == "runc"


def test_a_host_where_nothing_holds_says_every_fault(agent, tested):
    tested[0].update(crun=["no idmapped mounts"], runc=["no overlay"])
    with pytest.raises(AgentError, match="crun: no idmapped mounts | runc: no overlay"):
        selftest.choose(agent)


def test_an_explicit_runtime_is_taken_at_its_word(agent, tested):
    assert selftest.choose(replace(agent, runtime="runc")).runtime == "runc"
    assert tested[1] == []


def test_what_held_is_not_tested_again_and_what_did_not_is(agent, tested):
    tested[0]["crun"] = ["fault"]
    for _ in range(2):
        selftest.choose(agent)
    assert tested[1] == ["crun", "runc", "crun"]
