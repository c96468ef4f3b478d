"""One control process a host: the second waits or is told, and a dead one is in nobody's way."""

import os
import signal
import threading

import pytest

from runtime_agent import duty, settings


@pytest.fixture
def host(tmp_path):
    return settings.load({"BULKHEAD_STATE_DIR": str(tmp_path), "BULKHEAD_RUNTIME": "crun"})


def test_the_second_is_told(host):
    with duty.alone(host), pytest.raises(duty.OnDuty), duty.alone(host):
        pass
    with duty.alone(host):
        pass


def test_a_patient_one_begins_when_the_first_has_ended(host):
    begun = threading.Event()

    def second():
        with duty.alone(host, is_patient=True):
            begun.set()
    with duty.alone(host):
        thread = threading.Thread(target=second)
        thread.start()
        assert not begun.wait(0.2)
    thread.join(20)
    assert begun.is_set()


def test_a_killed_one_is_in_nobodys_way(host):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with duty.alone(host):
            os.write(writer, b"x")
            signal.pause()
    os.read(reader, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with duty.alone(host):
        pass
    os.close(reader)
    os.close(writer)
