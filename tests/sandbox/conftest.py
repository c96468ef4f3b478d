"""Real sandboxes for the tests, in a process of their own inside the agent's mount namespace.

The mount namespace must be entered before any thread exists, so the tests of this folder run in the pytest process
after it has entered; they need root, a runtime and the ``base`` image. Under CI nothing here may be skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_agent import attacks, cgroup, images, namespace, pool, sandbox, settings, spawn
from runtime_agent.capacity import Capacity
from tests.instance import PATIENCE
from tests.no_skips import pytest_runtest_makereport  # noqa: F401
from tests.sandbox.machines import kind, specification
from tests.sandbox.pool_stage import a_pool, all_that_is_there, settle

IMAGES = Path(os.environ.get("BULKHEAD_STATE_DIR", "/var/lib/bulkhead")) / "agent" / "images"


@pytest.fixture(scope="session")
def agent(tmp_path_factory) -> Iterator[settings.Settings]:
    """The agent's settings, with this process in its namespace and every sandbox of it gone at the end."""
    root = tmp_path_factory.mktemp("agent")
    chosen = settings.load({
        **os.environ, "BULKHEAD_STATE_DIR": str(root / "state"), "BULKHEAD_RUN_DIR": f"/run/bhtest-{secrets.token_hex(3)}",
        "BULKHEAD_CGROUP": f"bhtest-{secrets.token_hex(3)}", "BULKHEAD_SLOT_BASE": str(2000 + secrets.randbelow(1000) * 16),
        "BULKHEAD_RUNTIME": os.environ.get("BULKHEAD_TEST_RUNTIME", "crun")})
    chosen.agent_dir.mkdir(parents=True)
    (chosen.agent_dir / "images").symlink_to(IMAGES)
    assert "base" in images.installed(chosen), f"no base image under {IMAGES}: sudo ./lab test builds it"
    namespace.enter(chosen)
    yield chosen
    for home in sorted(chosen.sandboxes_dir.glob("*/*/")):
        sandbox.delete(chosen, home.parent.name, home.name)
    cgroup.Group(chosen.cgroup).remove()
    shutil.rmtree(chosen.run_dir)


@pytest.fixture(scope="session", autouse=True)
def patience_with_attacks():
    attacks.ROW_SECONDS *= PATIENCE


@pytest.fixture
def make(agent) -> Iterator[Callable[..., sandbox.Sandbox]]:
    """``make("nested", memory_bytes=...)`` starts a sandbox that is deleted after the test."""
    made = []

    def start(profile: str = "standard", **changes) -> sandbox.Sandbox:
        box = sandbox.create(agent, replace(specification(profile), **changes))
        made.append(box)
        return box

    yield start
    for box in made:
        sandbox.delete(agent, box.session_id, box.machine)


@pytest.fixture
def shell(agent) -> Callable[..., spawn.Result]:
    """``shell(box, "command")`` runs a bash line as root inside."""
    def run(box: sandbox.Sandbox, line: str, user: str = "root", timeout: float = 40, **options) -> spawn.Result:
        return spawn.run(agent, box, ["/bin/bash", "-c", line], user, timeout * PATIENCE, **options)
    return run


@pytest.fixture
def host(agent):
    """The agent's settings for two spares a kind; all that a test leaves behind is removed, and it left nothing."""
    yield replace(agent, warm=2)
    for home in agent.sandboxes_dir.glob("*/*/"):
        sandbox.delete(agent, home.parent.name, home.name)
    empty = pool.Pool(replace(agent, warm=0), Capacity(8, lambda: []))
    settle(empty)
    assert all_that_is_there(agent) == []


@pytest.fixture
def filled(host):
    return a_pool(host)


@pytest.fixture
def set_up(tmp_path):
    """``set_up(text)``: a kind whose lab has that set-up script."""
    def kind_of(text, **fields):
        script = tmp_path / "setup.sh"
        script.write_text(text)
        return kind(setup=script, **fields)
    return kind_of
