"""A worker host as its operator types it: `./lab worker leave, join, run`, `./lab down`; one of the three machines does it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from runtime_agent import cgroup
from tests.faults.rig import Host
from tests.instance import CACHE, PROJECT, wait_until

pytestmark = pytest.mark.sandbox
PREPARED = ("tools", "venv", ".tools.made-from", ".venv.made-from")
"""What set-up has made for this machine; a second one would fetch it again."""


class Operator:
    """Somebody at the third machine, with a terminal."""

    def __init__(self, fleet, name: str = "three"):
        self.fleet, self.host = fleet, fleet.hosts[name]
        self.running: subprocess.Popen | None = None
        for made in PREPARED:
            if not (self.host.state / made).exists():
                (self.host.state / made).symlink_to(CACHE / made)

    def types(self, *words: str) -> subprocess.CompletedProcess:
        return self.host.run_here(str(PROJECT / "lab"), *words, timeout=120)

    def leaves_it_running(self) -> None:
        """`./lab worker run` in a terminal of its own, until the site hears the host."""
        with (self.host.root / "run.log").open("ab") as log:
            self.running = subprocess.Popen(
                [*self.host.network.inside(self.host.name), str(PROJECT / "lab"), "worker", "run"], cwd=PROJECT,
                env={**self.host.environment, "BULKHEAD_WARM": "1"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(self.is_heard, 90, "the host to be heard")

    def is_killed(self) -> None:
        """The supervisor by SIGKILL; what it looked after goes on."""
        self.running.kill()
        self.running.wait(20)

    def spares(self) -> list[str]:
        return sorted(path.parent.name for path in (self.host.state / "agent" / "spares").glob("*/state.json"))

    def is_heard(self) -> bool:
        if self.running.poll() is not None:
            raise AssertionError(self.host.log("run"))
        return self.fleet.site.call("hosts").get(self.host.name, {}).get("is_silent") is False

    def stops(self) -> None:
        done = self.types("down")
        assert done.returncode == 0, done.stderr
        self.running.wait(20)


@pytest.fixture
def operator(fleet: object) -> Iterator[Operator]:
    """At the end the machine is what it was for the other tests."""
    host: Host = fleet.hosts["three"]
    host.kill("control")
    found = Operator(fleet)
    yield found
    found.types("down")
    found.types("worker", "leave", "--force")
    done = host.join(fleet.site.url, fleet.site.token())
    assert done.returncode == 0, done.stderr
    host.start("control")


def test_a_host_leaves_joins_works_is_drained_and_leaves_again(fleet, operator, somebody):
    host = operator.host
    left = operator.types("worker", "leave")
    assert left.returncode == 0, left.stderr
    assert "three" not in fleet.site.call("hosts")
    assert "has not joined a site" in operator.types("worker", "run").stderr
    assert "does not run here" in operator.types("down").stdout

    joined = operator.types("worker", "join", fleet.site.url, "--token", fleet.site.token(), "--name", "three")
    assert joined.returncode == 0, joined.stderr
    assert "This machine is now the worker host three" in joined.stdout
    operator.leaves_it_running()
    for name in ("one", "two"):
        fleet.site.call("wish", name, "cordoned")
    fleet.wait_wish("one", "two", "three")
    session_id = fleet.start(somebody)
    fleet.wait_state(session_id, "ready", host="three")
    wait_until(operator.spares, 60, "spares of what is in use")

    fleet.site.call("wish", "three", "draining")
    fleet.wait_wish("three")
    assert "still runs here" in operator.types("worker", "leave").stderr
    operator.stops()
    assert "are still here (1)" in operator.types("worker", "leave").stderr
    assert session_id in host.living(), "stopping the agent ends no student's sandbox"
    assert not operator.spares(), "and every one that is nobody's"
    operator.leaves_it_running()
    fleet.site.call("end", session_id, False)
    wait_until(lambda: not host.living(), 60, "the drained host to be empty")
    operator.stops()
    left = operator.types("worker", "leave")
    assert left.returncode == 0, left.stderr
    assert not cgroup.Group(host.environment["BULKHEAD_CGROUP"]).pids(), "nobody would look after what is left"

    joined = operator.types("worker", "join", fleet.site.url, "--token", fleet.site.token(), "--name", "three")
    assert joined.returncode == 0, joined.stderr
    operator.leaves_it_running()
    fleet.wait_wish("three")
    assert fleet.site.call("hosts")["three"]["wish"] == "open", "what was wanted of it before is forgotten on both sides"


def test_a_host_whose_supervisor_was_killed_is_ended_by_down_and_its_sandbox_only_when_told(fleet, operator, somebody):
    operator.leaves_it_running()
    for name in ("one", "two"):
        fleet.site.call("wish", name, "cordoned")
    fleet.wait_wish("one", "two")
    session_id = fleet.start(somebody)
    fleet.wait_state(session_id, "ready", host="three")
    wait_until(operator.spares, 60, "spares of what is in use")
    operator.is_killed()
    assert "runs already here" in operator.types("worker", "run").stderr, "its services go on"
    operator.stops()
    assert session_id in operator.host.living()
    assert not operator.spares()
    assert operator.types("down", "--sandboxes").returncode == 0
    assert not operator.host.living()
    assert not cgroup.Group(operator.host.environment["BULKHEAD_CGROUP"]).pids()

    operator.leaves_it_running()
    fleet.wait_state(session_id, "ended")
    fleet.site.call("resume", session_id)
    fleet.wait_state(session_id, "ready", host="three")
