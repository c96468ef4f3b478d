"""The supervisor keeps its services running and read, whatever becomes of its log or of the host's memory."""

import asyncio
import io
import time

import pytest

from deploy.lab.places import Places
from deploy.lab.services import Service
from deploy.lab.supervisor import Supervisor
from tests.instance import PATIENCE

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def places(tmp_path):
    (tmp_path / "run").mkdir()
    return Places(tmp_path, tmp_path / "state", tmp_path / "run")


def service(line, name="one"):
    return Service(name, ["/bin/sh", "-c", line], ENVIRONMENT, as_root=True)


def serve(places, line, until, log=None):
    """Run a service until ``until`` of its supervisor is true, and stop; what was logged."""
    log = log or io.StringIO()
    found = Supervisor(places, [service(line)], log)

    async def when_up(_):
        deadline = time.monotonic() + 20 * PATIENCE
        while not until(found) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        found.stopping.set()
    asyncio.run(asyncio.wait_for(found.run(when_up), 60 * PATIENCE))
    assert until(found)
    return log


def lines(file):
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_service_that_ends_is_started_again_and_what_it_says_is_logged(places, tmp_path):
    runs = tmp_path / "runs"
    log = serve(places, f"echo run >>{runs}; echo said; exit 3", lambda _: lines(runs) >= 3)
    assert "one      said\n" in log.getvalue()
    assert "one ended with status 3, starting it again" in log.getvalue()


def test_a_full_disk_loses_lines_and_stops_no_service(places, tmp_path):
    """A service whose output nobody reads stands still when 64 KiB of it wait."""
    done = tmp_path / "done"
    with open("/dev/full", "w") as log, pytest.raises(OSError, match="No space left"):
        serve(places, f"for n in $(seq 3000); do echo {'x' * 90}; done; echo >>{done}; exec sleep 1000", lambda _: done.exists(), log)
        log.close()


def test_a_service_that_can_not_be_started_now_is_started_later(places, tmp_path, monkeypatch):
    start, refusals, done = Supervisor.start, [1, 2], tmp_path / "done"

    async def refuse_twice(self, service):
        if refusals:
            raise BlockingIOError(11, "Resource temporarily unavailable", refusals.pop())
        return await start(self, service)
    monkeypatch.setattr(Supervisor, "start", refuse_twice)
    log = serve(places, f"echo >>{done}; exec sleep 1000", lambda _: done.exists())
    assert log.getvalue().count("one could not be started") == 2


def test_one_that_is_being_started_when_the_stop_comes_is_stopped_too(places, monkeypatch):
    start, begun = Supervisor.start, asyncio.Event()

    async def slowly(self, service):
        begun.set()
        await self.stopping.wait()
        await asyncio.sleep(0.2)  # stop() looks for it meanwhile and finds nothing
        return await start(self, service)
    monkeypatch.setattr(Supervisor, "start", slowly)
    log = io.StringIO()
    found = Supervisor(places, [service("exec sleep 1000")], log)

    async def when_up(_):
        await begun.wait()
        found.stopping.set()
    asyncio.run(asyncio.wait_for(found.run(when_up), 20 * PATIENCE))
    assert found.running["one"].returncode is not None
