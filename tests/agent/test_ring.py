"""The ring of a terminal: what it holds, what it forgets, and what a kill -9 in the middle of a read leaves."""

import fcntl
import os
import pty
import struct
import termios
import time
import tty

import pytest

from runtime_agent import ring as ring_module
from runtime_agent.protocol.terminal_codec import RING_BYTES
from runtime_agent.ring import CLIENTS, PATTERN_BYTES, Ring


@pytest.fixture
def line():
    """A PTY whose slave passes bytes unchanged: (master, slave)."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    yield master, slave
    os.close(master)
    os.close(slave)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rings" / "terminal"


def feed(ring, line, stream):
    """Send ``stream`` through the PTY into the ring."""
    master, slave = line
    for at in range(0, len(stream), 2048):
        chunk, head = stream[at:at + 2048], ring.head
        os.write(slave, chunk)
        while ring.head < head + len(chunk):
            try:
                ring.read_from(master)
            except BlockingIOError:
                continue


def send(line, stream):
    """Write to the slave and wait until the kernel has carried it all to the master's side."""
    os.write(line[1], stream)
    deadline = time.monotonic() + 10
    while struct.unpack("i", fcntl.ioctl(line[0], termios.FIONREAD, bytes(4)))[0] < len(stream):
        assert time.monotonic() < deadline


def killed_in_read(monkeypatch, ring, line, *, after):
    """Die (for the ring: without any cleaning up) before or after the kernel has handed over the bytes."""
    class Killed(BaseException):
        pass

    def readv(descriptor, rooms):
        if after:
            real(descriptor, rooms)
        raise Killed
    real = os.readv
    with monkeypatch.context() as patch:
        patch.setattr(ring_module.os, "readv", readv)
        with pytest.raises(Killed):
            ring.read_from(line[0])


def stream_of(size):
    return bytes(index * 7 % 251 for index in range(size))


def test_a_new_ring_is_empty_and_has_an_epoch(path, tmp_path):
    ring = Ring(path)
    assert (ring.head, ring.start, ring.since(0, 10)) == (0, 0, b"")
    assert ring.epoch != Ring(tmp_path / "another").epoch


def test_only_root_reads_what_was_typed_and_shown(path):
    Ring(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [1, RING_BYTES - 1, RING_BYTES, RING_BYTES + 1, 3 * RING_BYTES + 5])
def test_it_holds_the_last_ring_of_bytes(path, line, size):
    ring, stream = Ring(path), stream_of(size)
    feed(ring, line, stream)
    assert (ring.head, ring.start) == (size, max(0, size - RING_BYTES))
    assert ring.since(ring.start, size) == stream[-RING_BYTES:]
    assert ring.since(size - 1, 99) == stream[-1:]
    assert ring.since(ring.start, 100) == stream[ring.start:ring.start + 100]


def test_another_writer_goes_on_where_one_was_killed(path, line):
    feed(Ring(path), line, b"before")
    ring = Ring(path)
    feed(ring, line, b" and after")
    assert ring.since(0, 100) == b"before and after"
    assert ring.epoch == Ring(path).epoch


def test_a_read_with_nothing_to_read_changes_nothing(path, line):
    ring = Ring(path)
    feed(ring, line, b"text")
    with pytest.raises(BlockingIOError):
        ring.read_from(line[0])
    assert Ring(path).since(0, 100) == b"text"


@pytest.mark.parametrize("size", [PATTERN_BYTES - 1, PATTERN_BYTES, PATTERN_BYTES + 1, 1000])
def test_bytes_that_the_kernel_had_handed_over_are_not_lost(path, line, monkeypatch, size):
    ring = Ring(path)
    feed(ring, line, b"before")
    send(line, stream_of(size))
    killed_in_read(monkeypatch, ring, line, after=True)
    assert Ring(path).since(0, 2000) == b"before" + stream_of(size)


@pytest.mark.parametrize("size", [1, PATTERN_BYTES, 1000])
def test_bytes_that_still_wait_in_the_kernel_are_not_doubled(path, line, monkeypatch, size):
    ring = Ring(path)
    feed(ring, line, b"before")
    send(line, stream_of(size))
    killed_in_read(monkeypatch, ring, line, after=False)
    ring = Ring(path)
    assert ring.since(0, 2000) == b"before"
    ring.read_from(line[0])
    assert ring.since(0, 2000) == b"before" + stream_of(size)


def test_an_intent_spoils_nothing_that_may_be_asked_for(path, line, monkeypatch):
    ring, stream = Ring(path), stream_of(2 * RING_BYTES + 77)
    feed(ring, line, stream)
    send(line, b"x" * 2000)
    killed_in_read(monkeypatch, ring, line, after=False)
    ring = Ring(path)
    assert ring.since(ring.start, RING_BYTES) == stream[-RING_BYTES:]


def test_a_file_of_something_else_is_begun_anew(path):
    path.parent.mkdir()
    path.write_bytes(b"bhring01" + bytes(range(200)))
    ring = Ring(path)
    assert (ring.head, ring.received(0), ring.received(3)) == (0, 0, 0)


def test_what_clients_have_typed_survives(path):
    ring = Ring(path)
    ring.note_received(2**64 - 1, 5)
    ring.note_received(0, 7)
    ring.note_received(0, 8)
    assert [Ring(path).received(client) for client in (2**64 - 1, 0, 1)] == [5, 8, 0]


def test_the_client_that_typed_longest_ago_makes_room(path):
    ring = Ring(path)
    for client in range(1, CLIENTS + 1):
        ring.note_received(client, client)
    ring.note_received(1, 100)
    ring.note_received(99, 1)
    assert (ring.received(1), ring.received(2), ring.received(3), ring.received(99)) == (100, 0, 3, 1)


def test_a_ring_has_all_its_room_from_the_beginning(path):
    Ring(path).close()
    assert path.stat().st_blocks * 512 >= path.stat().st_size > RING_BYTES
