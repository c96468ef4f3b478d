"""The attack list in both profiles on every runtime of this host, and what it left of the host; can it turn red?"""

from dataclasses import replace

import pytest

from runtime_agent import attacks, bundle, conmon, second_opinion
from runtime_agent.attack_list import read
from runtime_agent.attacks import Ground
from tests.sandbox.host_view import HostView

pytestmark = pytest.mark.sandbox
ATTACKS = {attack.id: attack for attack in read(attacks.DEFAULT_LIST)}
GROUNDS = [Ground(runtime, profile) for runtime in conmon.installed_runtimes() for profile in ("standard", "nested")]
CASES = [pytest.param(id_, ground, id=f"{id_}-{ground.runtime}-{ground.profile}") for ground in GROUNDS
         for id_, attack in ATTACKS.items() if attack.expected[ground.profile] != "SKIP"]


@pytest.fixture(scope="module")
def campaign(agent):
    """One run of the whole list everywhere: (findings by attack and ground, the host before, the host after)."""
    before = HostView.take(agent)
    findings = {(found.attack.id, found.ground): found for found in attacks.run_all(agent, ATTACKS.values(), GROUNDS)}
    return findings, before, HostView.take(agent)


@pytest.mark.parametrize(("id_", "ground"), CASES)
def test_attack(campaign, id_, ground):
    finding = campaign[0][id_, ground]
    assert not finding.is_red, (finding.attack.text, finding.verdict, finding.said)


@pytest.mark.parametrize("part", HostView.parts())
def test_the_whole_list_leaves_the_host_as_it_was(campaign, part):
    _findings, before, after = campaign
    assert getattr(after, part) == getattr(before, part)


def test_the_list_is_whole_and_names_real_runtimes():
    assert len(ATTACKS) > 90
    assert {ground.runtime for ground in GROUNDS} >= {"crun"}


# --- can it turn red? -------------------------------------------------------------------------------------

EVERYTHING = [f"CAP_{name}" for name in ("SYS_MODULE", "SYS_BOOT", "SYSLOG", "CHOWN")]
WEAKENINGS = {
    "without a filter": (lambda c: c["linux"].pop("seccomp", None), ["SEC-01", "SEC-15"]),
    "with every capability": (lambda c: c["process"]["capabilities"].update(
        {kind: EVERYTHING for kind in ("bounding", "effective", "permitted")}), ["CAP-01"]),
    "with new privileges": (lambda c: c["process"].update(noNewPrivileges=False), ["CAP-03"]),
    "in the host's network": (lambda c: c["linux"].update(
        namespaces=[entry for entry in c["linux"].get("namespaces", []) if entry["type"] != "network"],
        sysctl={}), ["NET-01"]),
}


@pytest.mark.parametrize("runtime", conmon.installed_runtimes())
@pytest.mark.parametrize("name", list(WEAKENINGS))
def test_a_weaker_sandbox_turns_the_list_red(agent, monkeypatch, runtime, name):
    weaken, expected = WEAKENINGS[name]
    strong_config, strong_process = bundle.config, bundle.process

    def config(*arguments):
        built = strong_config(*arguments)
        weaken(built)
        return built

    def process(*arguments):
        shaped = {"process": strong_process(*arguments), "linux": {}}
        weaken(shaped)
        return shaped["process"]

    monkeypatch.setattr(bundle, "config", config)
    monkeypatch.setattr(bundle, "process", process)
    assert red(agent, Ground(runtime, "standard"), expected) == expected


@pytest.mark.parametrize("runtime", conmon.installed_runtimes())
@pytest.mark.parametrize(("changes", "id_"), [
    ({"pids": 4000}, "RES-02"), ({"cpus": 2.0}, "RES-03"), ({"disk_bytes": 24 << 30}, "RES-06")],
    ids=["processes", "cpu", "disk"])
def test_a_sandbox_without_a_limit_turns_the_list_red(agent, monkeypatch, runtime, changes, id_):
    strong = attacks.specification
    monkeypatch.setattr(attacks, "specification", lambda profile: replace(strong(profile), **changes))
    assert any(red(agent, Ground(runtime, "standard"), [id_]) for _try in range(TRIES))


TRIES = 5
"""A busy machine may give one process less than its quota by itself."""


def red(agent, ground, ids) -> list[str]:
    return [id_ for id_ in ids if attacks.run_one(agent, ATTACKS[id_], ground).is_red]


def test_an_attack_without_a_verdict_is_red(agent):
    silent = replace(ATTACKS["NS-01"], command="true")
    finding = attacks.run_one(agent, silent, GROUNDS[0])
    assert (finding.verdict, finding.is_red) == ("NONE", True)


@pytest.mark.parametrize("profile", ["standard", "nested"])
def test_other_tools_see_the_same_sandbox(agent, make, profile):
    """Where none of them is on PATH this says so; it can't be compared with what is not there."""
    print(second_opinion.absence())
    assert second_opinion.compare(agent, make(profile)) == []


def test_what_amicontained_prints_is_compared_with_the_profile(agent, make, tmp_path, monkeypatch):
    tool = tmp_path / "amicontained"
    tool.write_text("#!/bin/sh\nprintf 'Capabilities:\\n\\tBOUNDING -> chown setuid\\nSeccomp: disabled\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{conmon.PATH}")
    faults = second_opinion.compare(agent, make())
    assert len(faults) == 2
    assert "bounding set chown setuid" in faults[0]
    assert "seccomp" in faults[1]
