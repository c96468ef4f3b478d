"""Limits that a student moves, on a real sandbox: what the kernel then does, and what it does not grant."""

import pytest

from runtime_agent import xray
from runtime_agent.records import Record, Records
from runtime_agent.student_limits import StudentLimits
from tests.agent.labs import lab_document, publish

pytestmark = pytest.mark.sandbox


@pytest.fixture
def mover(agent, make):
    """A sandbox of 128 MiB whose lab lets memory and cpus be moved, and what was told."""
    document = lab_document()
    document["limits"]["student"] = ["memory", "cpus"]
    document["machines"]["box"].update(memory_bytes=128 << 20, cpus=1.0, pids=64)
    box = make(memory_bytes=128 << 20, cpus=1.0, pids=64)
    records, told, hurried = Records(agent.agent_dir), [], []
    records.save(Record(box.session_id, 1, publish(agent.content_dir, document), state="ready"))
    mover = StudentLimits(agent, records, lambda session_id, text: told.append(text), hurried.append)
    yield box, lambda **wishes: mover.change(box.session_id, "box", wishes), told, hurried
    records.remove(box.session_id, keep=False)


def around(box):
    return xray.collect(box, {"cgroups"})["cgroups"][0]


def test_a_limit_goes_down_and_up_again_and_the_kernel_keeps_it(mover, shell):
    box, change, told, hurried = mover
    change(memory_bytes=64 << 20, cpus=0.25)
    assert (around(box)["memory"]["limit_bytes"], around(box)["cpu"]["limit_cpus"], around(box)["pids"]["limit"]) == (64 << 20, 0.25, 64)
    assert "137" in shell(box, "head -c 100M /dev/zero | tail >/dev/null; echo ${PIPESTATUS[1]}").output
    change(memory_bytes=128 << 20)
    assert around(box)["memory"]["limit_bytes"] == 128 << 20
    assert (told, hurried) == ([], [box.session_id] * 2)


@pytest.mark.parametrize("wishes", [
    {"memory_bytes": (128 << 20) + 1}, {"memory_bytes": (16 << 20) - 1}, {"memory_bytes": True}, {"memory_bytes": "64"}, {"cpus": 1.01},
    {"pids": 32}, {"disk_bytes": 1}, {}])
def test_beyond_the_lab_nothing_is_moved(mover, wishes):
    box, change, told, hurried = mover
    change(**wishes)
    assert len(told) == 1
    assert (around(box)["memory"]["limit_bytes"], around(box)["cpu"]["limit_cpus"], hurried) == (128 << 20, 1.0, [])


def test_memory_in_use_is_not_taken_away_and_that_is_said(mover, shell):
    box, change, told, _ = mover
    if xray.collect(box, {"cgroups"})["cgroup_version"] == 1:
        shell(box, "python3 -c 'import time; x = bytearray(90 << 20); time.sleep(60)' >/dev/null 2>&1 & sleep 1")
        change(memory_bytes=32 << 20)
        assert told
        assert around(box)["memory"]["limit_bytes"] == 128 << 20
