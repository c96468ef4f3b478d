"""Eight threads at once wait for nobody for ever and leave the host as it was."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_agent import cgroup
from tests.instance import PATIENCE
from tests.sandbox.at_once import AT_ONCE
from tests.sandbox.conftest import IMAGES

pytestmark = pytest.mark.sandbox
PROJECT = Path(__file__).resolve().parent.parent.parent
ROUNDS, LIMIT_SECONDS = 2, 240


@pytest.fixture
def name():
    """Of a control group and a run folder, which go at the end."""
    chosen = f"bhtest-{secrets.token_hex(3)}"
    yield chosen
    cgroup.Group(chosen).remove()
    shutil.rmtree(f"/run/{chosen}")


def test_sessions_of_eight_threads_come_and_go(tmp_path, name):
    (tmp_path / "state" / "agent").mkdir(parents=True)
    (tmp_path / "state" / "agent" / "images").symlink_to(IMAGES)
    environment = {**os.environ, "BULKHEAD_STATE_DIR": str(tmp_path / "state"), "BULKHEAD_RUN_DIR": f"/run/{name}", "BULKHEAD_CGROUP": name,
                   "BULKHEAD_SLOT_BASE": str(2000 + secrets.randbelow(1000) * 16), "BULKHEAD_RUNTIME": "crun"}
    command = [sys.executable, "-m", "tests.sandbox.at_once", str(ROUNDS), str(LIMIT_SECONDS * PATIENCE)]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS * PATIENCE + 60)
    assert done.returncode == 0, done.stderr[-8000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == []
    assert found["left"] == {}
    assert found["sessions"] == AT_ONCE * ROUNDS
