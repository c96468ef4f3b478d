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
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == set()


def test_the_worker_is_asked_for_what_the_timers_really_write():
    from labs.sight import counters
    command = " ".join(SERVICES["worker"]["healthcheck"]["test"])
    assert f"'{counters.KEY}', '{counters.TIMERS_AT}'" in command


KEYS = set("""build image command environment networks read_only tmpfs cap_drop cap_add security_opt ports volumes depends_on
    healthcheck restart hostname init cgroup device_cgroup_rules stop_grace_period""".split())


def test_every_word_is_one_of_compose_and_every_name_is_defined():
    """What ``docker compose config`` looks at first; Debian 12 has no Compose v2 to ask."""
    document = yaml.safe_load(TEXT)
    for name, service in SERVICES.items():
        assert set(service) <= KEYS, name
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(document["volumes"])
        assert set(service["networks"]) <= set(document["networks"])
        for other, wish in service.get("depends_on", {}).items():
            assert wish == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[other]


def test_what_must_outlive_a_container_is_in_a_volume():
    kept = {volume.split(":")[1] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert kept == {"/var/lib/bulkhead/web", "/var/lib/bulkhead/static", "/var/lib/bulkhead/content", "/var/lib/bulkhead/agent",
                    "/data", "/var/lib/postgresql/data"}


def test_the_images_name_their_versions():
    images = re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    images += [SERVICES[name]["image"] for name in ("redis", "postgres")]
    assert images == ["debian:bookworm-slim", "site", "redis:7", "postgres:15"]
    assert "# syntax" not in (PROJECT / "Dockerfile").read_text()
