"""One fleet for the tests of this folder: it takes half a minute to come up. Each test leaves it whole."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import rig
from tests.no_skips import pytest_runtest_makereport  # noqa: F401


@pytest.fixture(scope="session")
def built() -> Iterator[rig.Fleet]:
    with tempfile.TemporaryDirectory(prefix="bulkhead-faults-") as folder, rig.running(Path(folder)) as found:
        yield found


@pytest.fixture
def fleet(built) -> Iterator[rig.Fleet]:
    """The fleet with every host open, up and empty; what a test started is ended after it."""
    yield built
    for name, host in built.hosts.items():
        built.network.mend(name)
        if "control" not in host.children or host.children["control"].poll() is not None:
            host.start("control")
    built.wait_for_hosts(*built.hosts, seconds=90)
    for name in built.hosts:
        built.site.call("wish", name, "open")
    built.end_all()


@pytest.fixture
def somebody() -> str:
    """A student who has done nothing yet."""
    return f"student-{secrets.token_hex(4)}"
