"""`./lab install` under a real systemd, on a machine that boots: two boots of one disk, some minutes. `./lab test --only systemd`."""

import re
from pathlib import Path

import pytest

from runtime_agent import settings
from tests.boot.machine import Machine

BOOT_SECONDS = 1500
UNITS = " ".join(["active"] * 6)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    found = Machine(tmp_path_factory.mktemp("machine"), Path(settings.current().state_dir))
    found.make()
    yield found
    found.disk.unlink()


def seen(machine: Machine, part: str) -> dict[str, str]:
    """What guest.py said: {what: value}; the whole console is printed for whoever reads a failure."""
    console = machine.boot(part, BOOT_SECONDS)
    print(console)
    return dict(re.findall(r"^BOOT (\S+) (.*?)\r?$", console, re.MULTILINE))


@pytest.fixture(scope="module")
def first(machine):
    return seen(machine, "install")


@pytest.fixture(scope="module")
def second(machine, first):
    """The next boot of the same disk."""
    return seen(machine, "again")


def test_one_command_brings_every_unit_up(first):
    assert "error" not in first
    assert (first["installed"], first["active"], first["enabled"]) == ("True", UNITS, "enabled")


def test_control_groups_of_version_2_are_delegated_and_a_sandbox_starts(first):
    assert {"cpu", "memory", "pids"} <= set(first["cgroup"].split())
    assert first["sandbox"] == "ready"
    assert int(first["processes"]) >= 2, "init and a shell"


def test_neither_a_restart_nor_a_kill_of_the_agent_ends_a_sandbox(first):
    assert first["after-restart"] == "active active active"
    assert (first["kept-by-restart"], first["kept-by-kill"], first["still"]) == ("True", "True", "ready")


def test_the_next_boot_serves_without_a_hand(second):
    assert "error" not in second
    assert second["active"] == UNITS


def test_what_the_power_cut_is_said_and_not_shown_as_running(second):
    assert second["sandbox"].split()[0] in ("failed", "ended")


def test_a_second_install_is_an_upgrade(second):
    assert (second["upgraded"], second["after-upgrade"]) == ("True", UNITS)


def test_uninstall_takes_the_units_and_the_spares_and_leaves_the_work(second):
    assert second["spares"] == "True"
    assert (second["uninstalled"], second["units"], second["processes-left"], second["data"]) == ("True", "0", "0", "True")


def test_uninstall_with_the_data_leaves_nothing(second):
    assert (second["uninstalled-again"], second["data-left"]) == ("True", "False")
