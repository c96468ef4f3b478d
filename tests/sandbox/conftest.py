"""Real sandboxes for the tests, in a process of their own inside the agent's mount namespace.

The mount namespace must be entered before any thread exists, so the tests of this folder run in the pytest process
after it has entered; they need root, a runtime and the ``base`` image. Under CI nothing here may be skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_agent import attacks, cgroup, images, namespace, sandbox, settings, spawn
from tests.instance import PATIENCE
from tests.no_skips import pytest_runtest_makereport  # noqa: F401

IMAGES = Path(os.environ.get("BULKHEAD_STATE_DIR", "/var/lib/bulkhead")) / "agent" / "images"
SIZES = {"standard": (256 << 20, 256, 0.5), "nested": (1 << 30, 512, 1.0)}


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


def specification(profile: str) -> sandbox.Spec:
    """A machine with the defaults of its profile and a session of its own."""
    memory, pids, cpus = SIZES[profile]
    return sandbox.Spec(str(uuid.uuid4()), "box", "base", profile, "root", "lab", memory, pids, cpus, 512 << 20)
