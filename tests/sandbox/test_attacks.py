"""The attack list: every row in a fresh sandbox of both profiles; and proof that the list can turn red."""

import csv
from pathlib import Path

import pytest

from runtime_agent import bundle

pytestmark = pytest.mark.sandbox
ROWS = list(csv.DictReader((Path(__file__).parent / "attacks.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE))
COLUMN = {"standard": "std", "nested": "nested"}
TAIL_BYTES = 4096
LIST_CPUS = 0.5
"""The quota that row RES-03 of the list speaks of."""


def expectation(row: dict, profile: str) -> str:
    """OK, ANY or SKIP."""
    words = dict(part.strip().split("=") for part in row["expected"].split(";")[:2])
    return words[COLUMN[profile]]


CASES = [pytest.param(row, profile, id=f"{row['id']}-{profile}") for profile in COLUMN for row in ROWS
         if expectation(row, profile) != "SKIP"]


def verdict(shell, box, row: dict) -> str:
    """OK or BAD. Only the end of what the command printed counts; some rows flood the terminal first."""
    output = shell(box, f"{{ {row['command']}\n}} 2>&1 | tail -c {TAIL_BYTES}").output
    return "OK" if "OK" in output and "BAD" not in output else "BAD"


@pytest.mark.parametrize(("row", "profile"), CASES)
def test_attack(make, shell, row, profile):
    found = verdict(shell, make(profile, cpus=LIST_CPUS), row)
    assert found == "OK" or expectation(row, profile) == "ANY", row["expected"]


WEAKENINGS = {
    "without a filter": (lambda c: c["linux"].pop("seccomp"), ["SEC-01", "SEC-15"]),
    "with every capability": (lambda c: c["process"]["capabilities"].update(
        {kind: [f"CAP_{name}" for name in ("SYS_MODULE", "SYS_BOOT", "SYSLOG", "CHOWN")]
         for kind in ("bounding", "effective", "permitted")}), ["CAP-01"]),
    "with new privileges": (lambda c: c["process"].update(noNewPrivileges=False), ["CAP-03"]),
}


@pytest.mark.parametrize("name", list(WEAKENINGS))
def test_a_weaker_sandbox_turns_the_list_red(make, shell, monkeypatch, name):
    weaken, expected = WEAKENINGS[name]
    strong_config, strong_process = bundle.config, bundle.process

    def config(*arguments):
        built = strong_config(*arguments)
        weaken(built)
        return built

    def process(*arguments):
        shaped = {"process": strong_process(*arguments), "linux": {"seccomp": None, "maskedPaths": []}}
        weaken(shaped)
        return shaped["process"]

    monkeypatch.setattr(bundle, "config", config)
    monkeypatch.setattr(bundle, "process", process)
    box = make("standard")
    red = [row["id"] for row in ROWS if row["id"] in expected and verdict(shell, box, row) == "BAD"]
    assert red == [row["id"] for row in ROWS if row["id"] in expected]


def test_a_sandbox_without_a_process_limit_turns_the_list_red(make, shell):
    box = make("standard", pids=4000)
    assert [row["id"] for row in ROWS if row["id"] == "RES-02" and verdict(shell, box, row) == "BAD"] == ["RES-02"]


def test_the_list_has_a_verdict_for_every_row():
    assert len(ROWS) == len({row["id"] for row in ROWS}) > 90
    assert all(expectation(row, profile) in ("OK", "ANY", "SKIP") for row in ROWS for profile in COLUMN)
