"""What `./lab` tells the site's processes and the commands beside it about addresses and settings."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from deploy.lab import ground, services
from deploy.lab.places import Places

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def places(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BULKHEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(ground, "read_secrets", lambda places: {"BULKHEAD_SECRET_KEY": "x" * 50})
    monkeypatch.setattr(services, "own_addresses", lambda: ["10.0.0.7", "fd00::7"])
    return Places(tmp_path, tmp_path, tmp_path)


def allowed(places, address):
    return services.site_environment(places, address)["BULKHEAD_ALLOWED_HOSTS"].split(",")


def test_a_site_for_this_machine_only_is_asked_for_by_loopbacks_names_only(places):
    assert allowed(places, services.address("127.0.0.1", 8000)) == ["127.0.0.1", "localhost"]


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "10.0.0.7"])
def test_a_site_for_others_is_known_by_every_name_of_this_machine(places, listen):
    address = services.address(listen, 8000)
    assert address == "http://10.0.0.7:8000"
    assert {"10.0.0.7", "[fd00::7]", os.uname().nodename.lower(), "localhost"} <= set(allowed(places, address))


def test_the_address_that_worker_hosts_are_told_is_the_sites(places, monkeypatch):
    monkeypatch.setenv("BULKHEAD_WORKERS_AT", "10.0.0.9:6380")
    assert services.address("0.0.0.0", 8000) == "http://10.0.0.9:8000"
    assert "10.0.0.9" in allowed(places, services.address("0.0.0.0", 8000))


def test_a_command_beside_the_site_means_the_same_site(places, monkeypatch):
    with monkeypatch.context() as started:
        started.setenv("BULKHEAD_WORKERS_AT", "10.0.0.9:6380")
        started.setenv("BULKHEAD_DATABASE_URL", "postgres://there/x")
        services.note_settings(places, "http://10.0.0.9:8113")
        site = services.site_environment(places, "http://10.0.0.9:8113")
    assert (places.state / "started-with.json").stat().st_mode & 0o777 == 0o600
    assert services.site_environment(places, "http://10.0.0.9:8113") != site
    assert services.take_settings(places) == "http://10.0.0.9:8113"
    try:
        assert services.site_environment(places, "http://10.0.0.9:8113") == site
    finally:
        for name in ("BULKHEAD_WORKERS_AT", "BULKHEAD_DATABASE_URL"):
            os.environ.pop(name, None)


def test_what_the_command_itself_is_told_comes_first(places, monkeypatch):
    with monkeypatch.context() as started:
        started.setenv("BULKHEAD_TIME_ZONE", "Europe/Rome")
        services.note_settings(places, "http://127.0.0.1:8000")
    monkeypatch.setenv("BULKHEAD_TIME_ZONE", "Europe/Oslo")
    services.take_settings(places)
    assert os.environ["BULKHEAD_TIME_ZONE"] == "Europe/Oslo"


def test_this_machines_addresses_are_those_that_the_kernel_has():
    shown = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    known = {word.partition("/")[0] for word in shown.split()}  # one with a peer has no length behind it
    assert set(services.own_addresses()) <= known


@pytest.mark.parametrize("file", ["deploy/lab/services.py", "deploy/systemd/bulkhead-web.service", "docker-compose.yml"])
def test_a_socket_that_is_opened_in_a_rush_is_waited_for_wherever_daphne_runs(file):
    """daphne's own choice is 5 s, and 200 students at once are not done with their pages by then."""
    words = (PROJECT / file).read_text()
    assert "daphne" in words
    assert re.search(r"--websocket_connect_timeout\W+60\b", words)
