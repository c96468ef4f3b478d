"""The units: confined as far as their work allows, whole paths, and nothing but their own files."""

import argparse
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from deploy.lab import install, services, units, worker
from deploy.lab.places import Places, SetupError

EXPOSURE = {"bulkhead-web": 2.0, "bulkhead-worker": 2.0, "bulkhead-redis": 2.0, "bulkhead-bridge": 7.5,
            "bulkhead-tunnel": 7.5, "bulkhead-control": 7.5}
"""What systemd-analyze(1) may call the exposure at most, 0 to 10."""
AGENT = [name for name in EXPOSURE if EXPOSURE[name] == 7.5]


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A file system root with everything that an installation writes."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "secrets.env").write_text('BULKHEAD_SECRET_KEY=a$b"c\\d`e\n')
    monkeypatch.setattr(services, "redis_command", lambda places: ["/usr/bin/redis-server"])
    units.write_site(Places(Path("/srv/bulkhead"), state, Path("/run/bulkhead")), "127.0.0.1", 8000, tmp_path)
    return tmp_path


@pytest.fixture
def joined(tmp_path) -> Places:
    """A machine that has joined a site; everything that an installation writes is below its ``state`` too."""
    places = Places(tmp_path / "project", tmp_path / "state", tmp_path / "run")
    folder = places.state / "agent/site"
    for needed in (folder, places.project, places.python.parent):
        needed.mkdir(parents=True)
    places.python.symlink_to("/bin/true")
    (folder / "site.json").write_text(json.dumps({"name": "two", "url": "http://192.0.2.7:8000"}))
    (folder / "bus-url").write_text("rediss://host-two:s3cret@192.0.2.7:6380/0?ssl_cert_reqs=required\n")
    return places


@pytest.fixture
def worker_host(joined, tmp_path, monkeypatch) -> Path:
    """The folder of its units."""
    monkeypatch.setattr(services, "is_root", lambda: True)
    units.write_worker_host(joined, tmp_path)
    return tmp_path / "etc/systemd/system"


def exposure(unit: Path) -> float:
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True)
    return float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1])


@pytest.mark.parametrize("name", EXPOSURE)
def test_a_unit_is_no_more_exposed_than_its_work_needs(root, name):
    assert exposure(root / "etc/systemd/system" / f"{name}.service") <= EXPOSURE[name]


@pytest.mark.parametrize("name", AGENT)
def test_a_worker_hosts_unit_is_no_more_exposed_by_its_way_to_the_site(worker_host, name):
    assert exposure(worker_host / f"{name}.service") <= EXPOSURE[name]


def test_every_unit_of_the_target_is_there_and_has_its_paths(root):
    found = sorted((root / "etc/systemd/system").iterdir())
    wanted = re.search(r"Wants=(.*)", (root / "etc/systemd/system/bulkhead.target").read_text())[1].split()
    assert {unit.name for unit in found} == {*wanted, "bulkhead.target"} == {*(f"{name}.service" for name in EXPOSURE),
                                                                           "bulkhead.target"}
    assert not [unit.name for unit in found if re.search(r"@[A-Z]+@", unit.read_text())]


def test_a_worker_host_gets_the_agents_units_only(worker_host):
    wanted = re.search(r"Wants=(.*)", (worker_host / "bulkhead.target").read_text())[1].split()
    assert {unit.name for unit in worker_host.iterdir()} == {*wanted, "bulkhead.target"}
    assert set(wanted) == {f"{name}.service" for name in AGENT}
    for unit in worker_host.iterdir():
        assert not re.search(r"@[A-Z_]+@|redis|web\.|worker\.", unit.read_text()), unit.name


def test_systemd_understands_both_kinds_of_units(root, worker_host):
    """All in one folder: who is wanted must be there. A site's programs are not on this machine, its user may not be."""
    for folder in (root / "etc/systemd/system", worker_host):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, folder.glob("*.service"))],
                              capture_output=True, text=True)
        assert not re.search(r"Unknown|Failed to parse|Invalid|ignoring|not found", done.stderr), done.stderr


@pytest.mark.parametrize("name", AGENT)
def test_a_worker_host_waits_for_the_network_and_never_gives_its_site_up(worker_host, name):
    lines = (worker_host / f"{name}.service").read_text().splitlines()
    assert {"Wants=network-online.target", "After=network-online.target", "StartLimitIntervalSec=0", "Restart=always"} <= set(lines)


def test_a_worker_host_looks_after_its_labs_before_it_takes_a_sandbox(worker_host, joined):
    lines = (worker_host / "bulkhead-control.service").read_text().splitlines()
    assert f"ExecStartPre={joined.python} -m runtime_agent fetch-labs" in lines
    assert "fetch-labs" not in (worker_host / "bulkhead-bridge.service").read_text()


@pytest.mark.parametrize(("bus", "allowed"), [
    ("192.0.2.7:6380", "localhost 192.0.2.7"), ("[2001:db8::7]:6380", "localhost 2001:db8::7"), ("bus.example.org:6380", "any")])
def test_a_worker_host_reaches_its_sites_redis_and_no_other_machine(joined, tmp_path, monkeypatch, bus, allowed):
    monkeypatch.setattr(services, "is_root", lambda: True)
    services.bus_url_file(joined).write_text(f"rediss://host-two:s3cret@{bus}/0\n")
    units.write_worker_host(joined, tmp_path)
    for name in AGENT:
        lines = (tmp_path / "etc/systemd/system" / f"{name}.service").read_text().splitlines()
        found = next(line for line in lines if line.startswith("IPAddressAllow="))
        assert found.removeprefix("IPAddressAllow=").startswith(allowed)
        assert "IPAddressDeny=any" in lines


def test_a_worker_hosts_environment_says_where_its_recipes_are_and_nothing_secret(worker_host, joined, tmp_path):
    text = (tmp_path / str(joined.state).lstrip("/") / "agent.env").read_text()
    assert f'BULKHEAD_RECIPES_DIR="{joined.state}/agent/recipes/current"' in text
    assert "REDIS" not in text and "s3cret" not in text


@pytest.mark.parametrize("part", ["bridge", "tunnel", "control"])
def test_the_agent_says_when_it_serves_and_leaves_its_sandboxes_alone(root, part):
    unit = (root / f"etc/systemd/system/bulkhead-{part}.service").read_text()
    for line in ("Type=notify", "KillMode=process", "Delegate=yes"):
        assert line in unit.splitlines()


def test_the_agent_gets_no_secret_and_nobody_else_reads_the_sites(root, tmp_path):
    state = tmp_path / str(tmp_path / "state").lstrip("/")
    assert "SECRET" not in (state / "agent.env").read_text()
    assert r'BULKHEAD_SECRET_KEY="a\$b\"c\\d\`e"' in (state / "site.env").read_text()
    assert (state / "site.env").stat().st_mode & 0o777 == 0o600


def test_a_notification_reaches_systemd(tmp_path, monkeypatch):
    import socket

    from runtime_agent import notify
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        monkeypatch.setattr(notify, "_address", "")
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify.claim()
        assert "NOTIFY_SOCKET" not in os.environ, "a runtime that sees it fails"
        notify.ready()
        assert listener.recv(64) == b"READY=1"
    monkeypatch.setattr(notify, "_address", "")
    notify.ready()


def test_the_agents_processes_claim_it_before_anything_else(tmp_path, monkeypatch):
    from runtime_agent import __main__, bridge, notify
    seen = []
    monkeypatch.setattr(notify, "_address", "")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    monkeypatch.setattr(bridge, "main", lambda settings: seen.append(os.environ.get("NOTIFY_SOCKET")) or 0)
    assert __main__.main(["bridge"]) == 0
    assert seen == [None]


def test_a_second_install_is_an_upgrade(root, tmp_path, monkeypatch):
    """The site lets its port go before the machine is looked at; the agent gets the new code, its sandboxes stay."""
    done = noted(monkeypatch, tmp_path, [units.TARGET, *units.EVERY], Places(tmp_path, tmp_path / "state", tmp_path / "run"))
    monkeypatch.setattr(install.services, "has_joined", lambda places: False)
    monkeypatch.setattr(install.up, "check_and_prepare", lambda *_, **__: done.append(("look",)))
    monkeypatch.setattr(install.up, "wait_until_served", lambda address: None)
    monkeypatch.setattr(install.up, "manage", lambda *_: "/link")
    monkeypatch.setattr(units, "write_site", lambda *_: done.append(("write",)))
    assert install.install(8000, "127.0.0.1") == 0
    assert done == [("stop", "bulkhead-web.service", "bulkhead-worker.service"), ("look",), ("write",), ("daemon-reload",),
                    ("enable", "--now", "bulkhead.target"),
                    ("try-restart", "bulkhead-bridge.service", "bulkhead-tunnel.service", "bulkhead-control.service")]


@pytest.mark.parametrize("there", [[], [units.TARGET, *units.AGENT]])
def test_a_worker_host_is_made_ready_before_its_units_start_and_is_upgraded_the_second_time(
        joined, tmp_path, monkeypatch, there):
    done = noted(monkeypatch, tmp_path, there, joined)
    assert install.install(8000, "127.0.0.1") == 0
    restarted = [("try-restart", "bulkhead-bridge.service", "bulkhead-tunnel.service", "bulkhead-control.service")]
    assert done == [("ready",), ("write",), ("daemon-reload",), ("enable", "--now", "bulkhead.target"), *(restarted if there else [])]


def test_a_worker_host_that_does_not_serve_yet_is_said(joined, tmp_path, monkeypatch):
    noted(monkeypatch, tmp_path, [], joined)
    monkeypatch.setattr(units, "states", lambda names: ["active", "active", "activating"])
    with pytest.raises(SetupError, match="does not serve yet"):
        install.install(8000, "127.0.0.1")


def test_a_machine_with_a_sites_units_gets_none_of_a_worker_hosts(joined, tmp_path, monkeypatch):
    done = noted(monkeypatch, tmp_path, [units.TARGET, *units.EVERY], joined)
    with pytest.raises(SetupError, match="sudo ./lab uninstall"):
        install.install(8000, "127.0.0.1")
    assert done == []


@pytest.mark.parametrize("there", [units.AGENT, units.EVERY])
def test_what_is_taken_away_is_what_was_written(tmp_path, monkeypatch, there):
    done = noted(monkeypatch, tmp_path, [units.TARGET, *there])
    stopped = []
    monkeypatch.setattr(units, "TMPFILES", tmp_path / "tmpfiles.conf")
    monkeypatch.setattr(units.subprocess, "run", lambda words, **_: stopped.append(words[-1]))
    (tmp_path / "units/other.service").touch()
    for _ in range(2):
        units.remove()
        assert [unit.name for unit in (tmp_path / "units").iterdir()] == ["other.service"]
    assert stopped == [units.TARGET, *there, units.TARGET]
    assert done == [("daemon-reload",)] * 2


def test_a_host_whose_agent_starts_with_the_machine_does_not_leave_before_that_ends(joined, tmp_path, monkeypatch):
    noted(monkeypatch, tmp_path, [units.TARGET, *units.AGENT], joined)
    monkeypatch.setattr(worker, "_agent", lambda *_: pytest.fail("it left"))
    with pytest.raises(SetupError, match="sudo ./lab uninstall"):
        worker.leave(argparse.Namespace(force=True))


@pytest.mark.parametrize(("states", "is_refused"), [
    (["inactive", "failed", "inactive"], False), (["inactive", "active", "failed"], True), (["inactive", "activating"], True)])
def test_nothing_is_run_by_hand_beside_units_that_run(joined, tmp_path, monkeypatch, states, is_refused):
    noted(monkeypatch, tmp_path, [units.TARGET, *units.AGENT], joined)
    monkeypatch.setattr(units, "states", lambda names: states)

    async def serve(places):
        return 0
    monkeypatch.setattr(worker, "_serve", serve)
    if is_refused:
        with pytest.raises(SetupError, match="systemctl stop bulkhead.target"):
            worker.run(argparse.Namespace())
    else:
        assert worker.run(argparse.Namespace()) == 0


def noted(monkeypatch, tmp_path, there, places=None) -> list[tuple[str, ...]]:
    """What is done, in order, on a machine with the units ``there``; nothing of it happens."""
    done, folder = [], tmp_path / "units"
    folder.mkdir()
    for name in there:
        (folder / name).touch()
    if places:
        monkeypatch.setattr(install, "find", lambda: places)
        monkeypatch.setattr(worker, "find", lambda: places)
    monkeypatch.setattr(services, "is_root", lambda: True)
    monkeypatch.setattr(units, "UNITS", folder)
    monkeypatch.setattr(units, "systemctl", lambda *words: done.append(words))
    monkeypatch.setattr(units, "states", lambda names: ["active"] * len(names))
    monkeypatch.setattr(units, "write_worker_host", lambda *_: done.append(("write",)))
    monkeypatch.setattr(worker, "make_ready", lambda places: done.append(("ready",)))
    monkeypatch.setattr(install, "_need_systemd", lambda: None)
    monkeypatch.setattr(install.images, "build", lambda *_: None)
    monkeypatch.setattr(install.images, "build_later", lambda *_: None)
    monkeypatch.setattr(install.running, "running_pid", lambda places: None)
    return done
