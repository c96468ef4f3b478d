"""The units: confined as far as their work allows, whole paths, and nothing but their own files."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from deploy.lab import install, services
from deploy.lab.places import Places

EXPOSURE = {"bulkhead-web": 2.0, "bulkhead-worker": 2.0, "bulkhead-redis": 2.0, "bulkhead-bridge": 7.5,
            "bulkhead-tunnel": 7.5, "bulkhead-control": 7.5}
"""What systemd-analyze(1) may call the exposure at most, 0 to 10."""


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A file system root with everything that an installation writes."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "secrets.env").write_text('BULKHEAD_SECRET_KEY=a$b"c\\d`e\n')
    monkeypatch.setattr(services, "redis_command", lambda places: ["/usr/bin/redis-server"])
    install.write(Places(Path("/srv/bulkhead"), state, Path("/run/bulkhead")), "127.0.0.1", 8000, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", EXPOSURE)
def test_a_unit_is_no_more_exposed_than_its_work_needs(root, name):
    unit = root / "etc/systemd/system" / f"{name}.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True)
    level = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1])
    assert level <= EXPOSURE[name]


def test_every_unit_of_the_target_is_there_and_has_its_paths(root):
    units = sorted((root / "etc/systemd/system").iterdir())
    wanted = re.search(r"Wants=(.*)", (root / "etc/systemd/system/bulkhead.target").read_text())[1].split()
    assert {unit.name for unit in units} == {*wanted, "bulkhead.target"} == {*(f"{name}.service" for name in EXPOSURE),
                                                                           "bulkhead.target"}
    assert not [unit.name for unit in units if re.search(r"@[A-Z]+@", unit.read_text())]


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
    done, folder = [], tmp_path / "units"
    folder.mkdir()
    (folder / install.TARGET).touch()
    monkeypatch.setattr(install, "UNITS", folder)
    monkeypatch.setattr(install, "_systemctl", lambda *words: done.append(words))
    monkeypatch.setattr(install, "_need_systemd", lambda: None)
    monkeypatch.setattr(install.up, "check_and_prepare", lambda *_, **__: done.append(("look",)))
    monkeypatch.setattr(install.up, "wait_until_served", lambda address: None)
    monkeypatch.setattr(install.up, "manage", lambda *_: "/link")
    monkeypatch.setattr(install.images, "build", lambda *_: None)
    monkeypatch.setattr(install, "write", lambda *_: [])
    monkeypatch.setattr(install.running, "running_pid", lambda places: None)
    assert install.install(8000, "127.0.0.1") == 0
    assert done == [("stop", "bulkhead-web", "bulkhead-worker"), ("look",), ("daemon-reload",),
                    ("enable", "--now", "bulkhead.target"),
                    ("try-restart", "bulkhead-bridge", "bulkhead-tunnel", "bulkhead-control")]
