"""Making user namespaces from several threads at once, as an agent does that starts several sandboxes."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime_agent import mountapi, slots
from runtime_agent.bundle import IDS_PER_SANDBOX

pytestmark = pytest.mark.sandbox
PROJECT = Path(__file__).resolve().parent.parent.parent
AT_ONCE, EACH = 6, 150


def make(number: int) -> str:
    """What a namespace says of itself: its identity."""
    descriptor = mountapi.user_namespace(slots.base_of(number), IDS_PER_SANDBOX)
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def make_many() -> int:
    """Beside them programs are started: those inherit pipes too."""
    def go(number: int) -> int:
        for _ in range(EACH):
            assert make(number).startswith("user:[")
            subprocess.run(["/bin/true"], capture_output=True, check=True)
        return EACH

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(threads.map(go, range(AT_ONCE)))


def test_threads_that_make_namespaces_at_once_do_not_wait_for_one_another():
    """In a process of its own, which can be ended: a deadlock of threads can't."""
    line = "from tests.sandbox import test_user_namespace as test; print(test.make_many())"
    done = subprocess.run([sys.executable, "-c", line], cwd=PROJECT, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.stdout.strip() == str(AT_ONCE * EACH), done.stderr


def test_a_fork_that_is_refused_leaves_no_descriptor_open(monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BlockingIOError):
        mountapi.user_namespace(slots.base_of(3), IDS_PER_SANDBOX)
    assert os.listdir("/proc/self/fd") == before


def test_a_namespace_maps_its_own_range():
    descriptor = mountapi.user_namespace(slots.base_of(3), IDS_PER_SANDBOX)
    try:
        child = subprocess.run(["nsenter", f"--user=/proc/{os.getpid()}/fd/{descriptor}", "cat", "/proc/self/uid_map"],
                               capture_output=True, text=True, check=True)
    finally:
        os.close(descriptor)
    assert child.stdout.split() == ["0", str(slots.base_of(3)), str(IDS_PER_SANDBOX)]


def test_nothing_stays_open():
    make(0)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        make(0)
    assert len(os.listdir("/proc/self/fd")) == before
