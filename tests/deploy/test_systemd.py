"""The units: confined as far as their work allows, whole paths, and nothing but their own files."""

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
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify.ready()
        assert listener.recv(64) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify.ready()
