"""What several files of this folder stand on."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.agent.bus_stage import Stage


@pytest.fixture
async def stage():
    root = Path(tempfile.mkdtemp(prefix="bh-"))  # a socket's path is short, tmp_path is not
    stage = Stage(root)
    await stage.start()
    yield stage
    await stage.close()
    shutil.rmtree(root)
