"""docker-compose.yml keeps its promises: no privileges beyond the two capabilities, no open port, no default secret."""

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
TEXT = (PROJECT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_owns_the_host(name):
    service = SERVICES[name]
    assert not service.get("privileged")
    assert "host" not in (service.get("pid"), service.get("network_mode"), service.get("ipc"), service.get("cgroup"))
    assert not any(volume.startswith(("/", "~", ".")) for volume in service.get("volumes", []))


def test_only_the_agent_has_capabilities_and_only_these():
    assert {name: service["cap_add"] for name, service in SERVICES.items() if "cap_add" in service} == {
        "agent": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"]}
    assert SERVICES["agent"]["cgroup"] == "private"
    assert SERVICES["web"]["cap_drop"] == SERVICES["worker"]["cap_drop"] == ["ALL"]


def test_the_agent_does_not_reach_the_database_and_the_database_only_the_site():
    assert "data" not in SERVICES["agent"]["networks"]
    assert SERVICES["postgres"]["networks"] == ["data"]
    assert "BULKHEAD_DATABASE_URL" not in SERVICES["agent"]["environment"]


def test_only_the_site_is_published_and_only_to_this_machine():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web"}
    assert SERVICES["web"]["ports"] == ["${BULKHEAD_LISTEN:-127.0.0.1:8000}:8000"]


def test_no_secret_has_a_default():
    secrets = re.findall(r"\$\{((?:\w*SECRET_KEY|\w*PASSWORD))(:?[-?]?)", TEXT)
    assert secrets
    assert not [name for name, kind in secrets if kind.endswith("-")]


def test_every_service_starts_again_and_says_how_it_is():
    assert {service["restart"] for service in SERVICES.values()} == {"unless-stopped"}
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"worker"}


def test_the_images_name_their_versions():
    images = re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    images += [SERVICES[name]["image"] for name in ("redis", "postgres")]
    assert images == ["debian:bookworm-slim", "site", "redis:7", "postgres:15"]
    assert "# syntax" not in (PROJECT / "Dockerfile").read_text()
