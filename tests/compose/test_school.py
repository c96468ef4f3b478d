"""docker-compose.yml as an operator uses it, on a real dockerd, with a browser: build, up, work, break, back up, down.

The tests are one story and build on each other. `./lab test --only compose`; the first time it fetches and builds for some minutes.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from runtime_agent import cgroup, settings
from tests.browser.conftest import CHROMIUM, LESSON, start_sandbox, type_line, wait_for_text
from tests.compose import engine
from tests.instance import wait_until

SITE = "http://127.0.0.1:8000"
HEALTHY = {name: "healthy" for name in ("agent", "postgres", "redis", "web", "worker")}
PASSWORD = {"BULKHEAD_BACKUP_PASSWORD": "a backup's password"}
LOOPS = Path("/sys/block")


class Project:
    """A checkout with its .env, and what an operator types in it."""

    def __init__(self, runs_on: engine.Engine, folder: Path):
        self.engine, self.folder = runs_on, folder

    def make_env(self) -> None:
        (self.folder / ".env").unlink(missing_ok=True)
        engine.run(self.folder / "deploy/compose/make-env", SITE)

    def compose(self, *words: str, text: str = "", **changes: str) -> str:
        return self.engine.docker("compose", "--file", self.folder / "docker-compose.yml", *words, text=text, **changes)

    def up(self, *services: str) -> None:
        self.compose("up", "--detach", "--wait", "--wait-timeout", "900", *services)

    def manage(self, *words: str) -> str:
        return self.compose("exec", "-T", "web", "python", "manage.py", *words)

    def sign_in(self, page: Page, *words: str) -> None:
        page.goto(SITE + re.search(r"/accounts/one-time/\S+", self.manage("signin_link", *words))[0])
        page.click("main button[type=submit]")
        page.get_by_role("link", name="Operator").wait_for()

    def health(self) -> dict[str, str]:
        return dict(line.split() for line in self.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines())


@pytest.fixture(scope="module")
def runs_on() -> Iterator[engine.Engine]:
    with engine.running(Path(settings.current().state_dir) / "compose") as found:
        yield found


@pytest.fixture(scope="module")
def project(runs_on, tmp_path_factory) -> Iterator[Project]:
    found = Project(runs_on, tmp_path_factory.mktemp("school") / "bulkhead")
    engine.copy_project(found.folder)
    found.make_env()
    found.compose("down", "--volumes")  # of a run that was interrupted
    runs_on.docker("volume", "prune", "--all", "--force")
    try:
        found.compose("up", "--detach", "--build", "--wait", "--wait-timeout", "900")
        yield found
    finally:
        print(found.compose("logs", "--no-color", "--tail", "60"))
        found.compose("down", "--volumes")


@pytest.fixture(scope="module")
def page(runs_on, project, tmp_path_factory) -> Iterator[Page]:
    """The operator's, in a browser that sits in the engine's network."""
    inside = tmp_path_factory.mktemp("browser") / "chromium"
    inside.write_text(f"#!/bin/sh\nexec {' '.join(runs_on.inside)} /usr/bin/chromium \"$@\"\n")
    inside.chmod(0o755)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(inside), args=CHROMIUM)
        found = browser.new_page(viewport={"width": 1440, "height": 900})
        found.set_default_timeout(60_000)
        yield found
        browser.close()


def at_a_prompt(page: Page) -> None:
    """The lesson's page, loaded anew, with the sandbox that it has, resumed, or a new one."""
    page.goto(SITE + LESSON)
    if page.locator("[data-resume]").is_visible():
        page.click("[data-resume]")
    start_sandbox(page)


def state_of(page: Page) -> str:
    return page.locator("#session-state").get_attribute("data-state")


def test_every_service_becomes_healthy(project):
    assert project.health() == HEALTHY


def test_the_agent_reaches_redis_and_not_the_database(project):
    dial = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
    project.compose("exec", "-T", "agent", "python3", "-c", dial, "redis", "6379")
    with pytest.raises(RuntimeError, match="gaierror|timed out|refused|unreachable"):
        project.compose("exec", "-T", "agent", "python3", "-c", dial, "postgres", "5432")


def test_the_student_that_is_a_program_comes_through(project):
    assert json.loads(project.manage("synthetic"))["ok"]


def test_an_operator_signs_in_and_gets_a_shell(project, page):
    project.sign_in(page, "--create-admin")
    at_a_prompt(page)
    type_line(page, "echo kept-$((40+2)) >note; clear; cat note")
    wait_for_text(page, "kept-42")


def test_web_and_worker_may_die_under_a_session(project, page):
    project.compose("kill", "web", "worker")
    project.up()
    at_a_prompt(page)
    type_line(page, "clear; echo again; cat note")
    wait_for_text(page, "again\nkept-42")


@pytest.mark.parametrize("words", [["restart", "agent"], ["down"]], ids=" ".join)
def test_what_ends_the_agents_container_stops_sandboxes_and_keeps_their_files(project, page, words):
    project.compose(*words)
    project.up()
    page.goto(SITE + LESSON)
    wait_until(lambda: state_of(page) == "ended", 60, "word that the sandbox has stopped")
    at_a_prompt(page)
    type_line(page, "clear; echo again; cat note")
    wait_for_text(page, "again\nkept-42")


def test_a_backup_goes_into_a_new_project(project, page):
    backup = project.compose("exec", "-T", "-e", *PASSWORD, "web", "sh", "-c", "python manage.py backup | base64", **PASSWORD)
    project.compose("down", "--volumes")
    project.make_env()
    project.up("web")
    found = json.loads(project.compose("exec", "-T", "-e", *PASSWORD, "web", "sh", "-c", "base64 -d | python manage.py restore",
                                       text=backup, **PASSWORD))
    env = project.folder / ".env"
    env.write_text(re.sub(r"(BULKHEAD_SECRET_KEY=).*", rf"\g<1>{found['secret']}", env.read_text()))
    project.up("web")
    project.sign_in(page)


def test_down_leaves_nothing(project, runs_on):
    project.compose("down", "--volumes")
    assert runs_on.docker("ps", "--all", "--quiet") == runs_on.docker("volume", "ls", "--quiet") == ""
    assert not cgroup.Group(runs_on.group).pids()
    lying = [file.read_text() for file in LOOPS.glob("loop*/loop/backing_file")]
    assert not [path for path in lying if path.startswith(str(runs_on.folder))]
