"""What `./lab` tells the site's processes and the commands beside it about addresses and settings."""

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.lab import ground, install, services, units, up
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
        services.note_settings(places, "http://127.0.0.1:8000")  # of an earlier start, which is over
        started.setenv("BULKHEAD_TIME_ZONE", "Europe/Rome")
        services.note_settings(places, "http://127.0.0.1:8000")
    monkeypatch.setenv("BULKHEAD_TIME_ZONE", "Europe/Oslo")
    services.take_settings(places)
    assert os.environ["BULKHEAD_TIME_ZONE"] == "Europe/Oslo"


def test_redis_has_a_password_as_soon_as_other_machines_can_reach_it_and_no_environment_of_the_agents_holds_it(places, monkeypatch):
    def urls():
        services.open_bus(places)
        file = services.bus_url_file(places)
        return (services.site_environment(places, "http://127.0.0.1:8000")["BULKHEAD_REDIS_URL"],
                services.shared_environment(places).get("BULKHEAD_REDIS_URL"), file.read_text() if file.exists() else None)
    monkeypatch.setattr(services, "is_root", lambda: True)
    plain = f"unix://{places.socket}?db=0"
    assert urls() == (plain, plain, None)
    monkeypatch.setenv("BULKHEAD_WORKERS_AT", "10.0.0.9:6380")
    site, agent, noted = urls()
    assert re.fullmatch(rf"unix://:[0-9a-f]{{64}}@{re.escape(str(places.socket))}\?db=0", site)
    assert (agent, noted) == (None, f"{site}\n")
    assert services.bus_url_file(places).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(ground, "read_secrets", lambda places: {"BULKHEAD_SECRET_KEY": "y" * 50})
    assert urls()[0] != site
    monkeypatch.delenv("BULKHEAD_WORKERS_AT")
    assert urls() == (plain, plain, None)


@pytest.fixture
def beside(monkeypatch):
    """``beside(name)``: what the variable is for a command beside the site; what the command took is forgotten after the test."""
    def told(places, name):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
        services.take_settings(places)
        return os.environ.get(name)
    return told


@pytest.mark.parametrize(("line", "value"), [
    ("BULKHEAD_DATABASE_URL=postgres://there/x", "postgres://there/x"), ('BULKHEAD_DATABASE_URL="post\\"gr$es"', 'post"gr$es'),
    ("BULKHEAD_DATABASE_URL='a b'", "a b"), (" BULKHEAD_DATABASE_URL = a=b ", "a=b"), ("#BULKHEAD_DATABASE_URL=x", None),
    ("; BULKHEAD_DATABASE_URL=x", None), ("\n", None)])
def test_a_command_beside_the_units_means_what_they_read_from_settings_env(places, beside, line, value):
    services.note_settings(places, "http://127.0.0.1:8000", by_units=True)
    (places.state / "settings.env").write_text(f"# mine\n\n{line}\n")
    assert beside(places, "BULKHEAD_DATABASE_URL") == value


def test_settings_env_comes_before_what_the_units_were_written_with(places, monkeypatch, beside):
    monkeypatch.setenv("BULKHEAD_CAPACITY", "4")
    services.note_settings(places, "http://127.0.0.1:8000", by_units=True)
    (places.state / "settings.env").write_text("BULKHEAD_CAPACITY=40\n")
    assert beside(places, "BULKHEAD_CAPACITY") == "40"


def test_a_site_in_the_foreground_reads_no_settings_env(places, beside):
    services.note_settings(places, "http://127.0.0.1:8000")
    (places.state / "settings.env").write_text("BULKHEAD_CAPACITY=40\n")
    assert beside(places, "BULKHEAD_CAPACITY") is None


def test_the_administrator_of_an_install_is_made_in_the_database_that_the_units_use(places, monkeypatch, capsys):
    """The variable stands in settings.env; the units' own file must not repeat it, or taking it out there would change nothing."""
    (places.state / "settings.env").write_text("BULKHEAD_DATABASE_URL=postgres://there/x\nBULKHEAD_ORIGIN=https://labs.example.org\n")
    seen = {}
    monkeypatch.setattr(install, "_need_systemd", lambda: None)
    monkeypatch.setattr(install, "find", lambda: places)
    for module, name in ((install.up, "check_and_prepare"), (install.images, "build"), (units, "start"), (up, "wait_until_served")):
        monkeypatch.setattr(module, name, lambda *_, **__: None)
    monkeypatch.setattr(units, "UNITS", places.state / "units")
    monkeypatch.setattr(units, "write_site", lambda *_: seen.update(written=os.environ.get("BULKHEAD_DATABASE_URL")))
    monkeypatch.setattr(up, "manage", lambda places, address, words: seen.update(
        made=services.site_environment(places, address)["BULKHEAD_DATABASE_URL"]) or "/link")
    for name in ("BULKHEAD_DATABASE_URL", "BULKHEAD_ORIGIN"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)  # so that what install puts there is gone after the test
    assert install.install(8000, "127.0.0.1") == 0
    assert "administrator: https://labs.example.org/link" in capsys.readouterr().out
    assert seen == {"written": None, "made": "postgres://there/x"}


def test_worker_hosts_are_not_let_in_by_settings_env_either(places, monkeypatch):
    (places.state / "settings.env").write_text("BULKHEAD_WORKERS_AT=10.0.0.1:6380\n")
    monkeypatch.setattr(install, "_need_systemd", lambda: None)
    monkeypatch.setattr(install, "find", lambda: places)
    with pytest.raises(install.SetupError, match="./lab up only"):
        install.install(8000, "127.0.0.1")


LOOK = """
import django
django.setup()
from django.conf import settings
from django.test import Client
print([Client().get("/healthz", headers={"host": host}).status_code for host in ("127.0.0.1:8000", "labs.example.org", "evil.example")])
"""


def test_a_site_that_has_a_name_is_asked_by_this_machine_too():
    """`./lab up` waited a minute for a site behind a proxy, which answered 400, and gave up."""
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=PROJECT, capture_output=True, text=True, env={
        **os.environ, "DJANGO_SETTINGS_MODULE": "labsite.settings", "BULKHEAD_SECRET_KEY": "x" * 50,
        "BULKHEAD_ORIGIN": "https://labs.example.org", "BULKHEAD_ALLOWED_HOSTS": "labs.example.org"})
    assert done.stdout.strip() == "[200, 200, 400]", done.stderr


def test_it_is_waited_for_by_the_name_that_it_always_has(monkeypatch):
    class Picky(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.headers["Host"] == "127.0.0.1" else 400)
            self.end_headers()

        def log_message(self, *_):
            """Nobody reads it."""
    server = HTTPServer(("127.0.0.1", 0), Picky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(up, "SERVING_SECONDS", 2.0)
    try:
        up.wait_until_served(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_this_machines_addresses_are_those_that_the_kernel_has():
    shown = subprocess.run(["ip", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True, check=True).stdout
    assert set(services.own_addresses()) == {line.split()[3].partition("/")[0] for line in shown.splitlines()}


@pytest.mark.parametrize("file", ["deploy/lab/services.py", "deploy/systemd/bulkhead-web.service", "docker-compose.yml"])
def test_a_socket_that_is_opened_in_a_rush_is_waited_for_wherever_daphne_runs(file):
    """daphne's own choice is 5 s, and 200 students at once are not done with their pages by then."""
    words = (PROJECT / file).read_text()
    assert "daphne" in words
    assert re.search(r"--websocket_connect_timeout\W+60\b", words)
