"""A setting that somebody writes is one that somebody reads: the same name in the code, in what `./lab` and docker-compose.yml hand
on, and in the documents. What is dropped on the way has no effect and says nothing."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.lab import ground, services
from deploy.lab.places import Places
from tests.instance import Instance, StartError

PROJECT = Path(__file__).resolve().parent.parent.parent
SITE_SOURCE = (PROJECT / "labsite/settings.py").read_text()
AGENT_SOURCE = (PROJECT / "runtime_agent/settings.py").read_text()
SITE = {f"BULKHEAD_{name}" for name in re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', SITE_SOURCE)}
AGENT = {*re.findall(r'_read\(environ, "(BULKHEAD_\w+)"', AGENT_SOURCE), "BULKHEAD_LOG_FORMAT", "BULKHEAD_RECIPES_DIR"}
OPERATOR = (PROJECT / "docs/operator.md").read_text()
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("deploy/monitoring/*"), PROJECT / "deploy/Caddyfile",
         PROJECT / "docker-compose.yml", PROJECT / "deploy/compose/make-env"]
FOR_DEVELOPERS = {"BULKHEAD_DEBUG"}
INTERNAL = {"BULKHEAD_CGROUP", "BULKHEAD_SLOT_BASE", "BULKHEAD_HOST", "BULKHEAD_HOST_SILENT_SECONDS", "BULKHEAD_EMAIL_VERIFICATION",
            "BULKHEAD_SESSION_OVERDUE_SECONDS", "BULKHEAD_SESSION_NUDGE_SECONDS"}
"""Which no operator has a reason to set; `./lab doctor` names the second where it must be."""
NOT_IN_CONTAINERS = {
    "BULKHEAD_STATE_DIR": "the image has it", "BULKHEAD_STATIC_DIR": "below the image's", "BULKHEAD_RUN_DIR": "the container's own",
    "BULKHEAD_CONTENT_DIRS": "names folders, which need a volume", "BULKHEAD_WORKERS_AT": "that Redis opens to no other machine",
    "BULKHEAD_METRICS_PORT": "would be the container's own loopback", "BULKHEAD_CGROUP": "the container's own",
    "BULKHEAD_SLOT_BASE": "the container's own", "BULKHEAD_RECIPES_DIR": "of joined hosts"}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """What `./lab` gives the site and the agent if every setting is set."""
    for name in SITE | AGENT:
        monkeypatch.setenv(name, "x")
    monkeypatch.setattr(ground, "read_secrets", lambda places: {"BULKHEAD_SECRET_KEY": "x" * 50})
    places = Places(tmp_path, tmp_path, tmp_path)
    return {"site": services.site_environment(places, "http://127.0.0.1:8000"), "agent": services.shared_environment(places)}


def test_what_is_looked_for_is_found():
    assert {"BULKHEAD_SIGNUP_OPEN", "BULKHEAD_STATE_DIR", "BULKHEAD_DATABASE_URL", "BULKHEAD_LOG_LEVEL"} <= SITE
    assert {"BULKHEAD_CAPACITY", "BULKHEAD_REDIS_URL", "BULKHEAD_METRICS_PORT"} <= AGENT


def test_every_setting_reaches_the_processes_that_read_it(environment):
    assert SITE - FOR_DEVELOPERS - set(environment["site"]) == set()
    assert AGENT - {"BULKHEAD_RECIPES_DIR"} - set(environment["agent"]) == set()


def test_nothing_is_handed_on_that_nobody_reads():
    assert set(services.SITE_ONLY) - SITE == set()
    assert {name for name in services.PASSED_ON if name.startswith("BULKHEAD_")} - AGENT - SITE == set()


def test_with_compose_too():
    document = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    for service, wanted in (("web", SITE), ("worker", SITE), ("agent", AGENT)):
        handed = set(document[service]["environment"])
        assert wanted - FOR_DEVELOPERS - set(NOT_IN_CONTAINERS) - handed == set(), service
        assert handed - wanted == set(), service


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_setting_that_a_document_names_is_read(document):
    sources = [path.read_text() for folder in ("deploy", "labs", "runtime_agent") for path in (PROJECT / folder).rglob("*.py")]
    read = SITE | AGENT | set(re.findall(r'"(BULKHEAD_\w+)"', "\n".join(sources)))
    read |= set(re.findall(r"\{\$?(BULKHEAD_\w+)", (PROJECT / "deploy/Caddyfile").read_text() + (PROJECT / "docker-compose.yml").read_text()))
    assert set(re.findall(r"BULKHEAD_[A-Z_]*[A-Z]", document.read_text())) - read == set()


OF_THE_TESTS = {"BULKHEAD_REQUIRE_SANDBOX", "BULKHEAD_TEST_PATIENCE", "BULKHEAD_TEST_RUNTIME", "BULKHEAD_BENCH_INSIDE", "BULKHEAD_FUZZ_CASES",
                "BULKHEAD_FUZZ_SEED", "BULKHEAD_INTERLEAVINGS", "BULKHEAD_BACKUP_PASSWORD", "BULKHEAD_LISTEN", "BULKHEAD_NAME",
                "BULKHEAD_UPSTREAM"}
"""Which they, a command or a proxy's file read themselves."""


def test_every_setting_that_a_test_or_a_bench_sets_is_one():
    """`./lab bench class --postgres` measured SQLite for as long as the name of the variable lacked its beginning."""
    texts = {path: path.read_text() for path in (PROJECT / "tests").rglob("*.py") if path != Path(__file__)}
    named = {(name, path.name) for path, text in texts.items() for name in re.findall(r"BULKHEAD_[A-Z_]*[A-Z]", text)}
    assert {(name, file) for name, file in named if name not in SITE | AGENT | OF_THE_TESTS} == set()
    with pytest.raises(StartError, match="nobody reads DATABASE_URL"):
        Instance(PROJECT, DATABASE_URL="postgres://there/x")


def test_the_operators_table_has_every_setting():
    table = "\n".join(line for line in OPERATOR.splitlines() if line.startswith("| `BULKHEAD_"))
    table = re.sub(r"`(BULKHEAD_SYNTHETIC)_MINUTES`, `(_\w+)`, `(_\w+)`", r"`\1_MINUTES` `\1\2` `\1\3`", table)
    handed = {name for name in (*services.SITE_ONLY, *services.PASSED_ON) if name.startswith("BULKHEAD_")} - INTERNAL
    assert {name for name in handed if f"`{name}`" not in table} == set()


def test_every_number_in_the_operators_table_is_the_codes():
    numbers = {f"BULKHEAD_{name}": value for name, value in re.findall(r'env\.\w+\("(\w+)", ([\d.]+)', SITE_SOURCE)}
    numbers |= dict(re.findall(r'_read\(environ, "(\w+)", "(\d+)"', AGENT_SOURCE))
    compared = []
    for names, default in re.findall(r"^\| (`BULKHEAD_.*?) \|.*\| (.*?) \|$", OPERATOR, re.MULTILINE):
        said = re.findall(r"^\d+|(?<=, )\d+", default)
        for name, value in zip(re.findall(r"BULKHEAD_\w+", names), said, strict=False):
            assert float(numbers[name]) == float(value), name
            compared.append(name)
    assert {"BULKHEAD_WARM", "BULKHEAD_KEPT_GIB", "BULKHEAD_SESSION_KEPT_MIB", "BULKHEAD_SESSIONS_MAXIMUM"} <= set(compared)
