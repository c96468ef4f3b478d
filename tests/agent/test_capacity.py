"""Places on a host, and the tap on the shared queue."""

import threading
from types import SimpleNamespace

import pytest

from runtime_agent import protocol
from runtime_agent.capacity import RUSH_SECONDS, Capacity, HostFull, QueueTap
from runtime_agent.control import Control
from runtime_agent.errors import AgentError


def test_places_are_counted_up_to_the_limit_and_not_beyond():
    living = set()
    capacity = Capacity(2, lambda: living)
    with capacity.placed({("a", "box")}):
        assert capacity.has_room()
        with capacity.placed({("b", "box")}):
            assert not capacity.has_room()
            with pytest.raises(HostFull), capacity.placed({("c", "box")}):
                pytest.fail("a third place was given")
    assert capacity.used() == 0


def test_a_sandbox_that_exists_keeps_its_place_after_its_create():
    living = set()
    capacity = Capacity(1, lambda: living)
    with capacity.placed({("a", "box")}):
        living.add(("a", "box"))
        assert capacity.used() == 1
    assert capacity.used() == 1
    living.clear()
    assert capacity.has_room()


def test_all_machines_of_a_session_fit_or_none():
    capacity = Capacity(2, lambda: {("a", "box")})
    with pytest.raises(HostFull), capacity.placed({("b", "one"), ("b", "two")}):
        pytest.fail("half a session was placed")
    assert capacity.used() == 1


def test_a_create_delivered_again_always_fits():
    capacity = Capacity(1, lambda: {("a", "box")})
    with capacity.placed({("a", "box")}):
        assert capacity.used() == 1


def test_it_fits_even_where_the_limit_has_been_lowered_since():
    capacity = Capacity(1, lambda: {("a", "box"), ("b", "box")})
    with capacity.placed({("a", "box")}):
        assert not capacity.has_room()


def test_a_failed_create_gives_its_place_back():
    capacity = Capacity(1, lambda: set())
    with pytest.raises(OSError, match="boom"), capacity.placed({("a", "box")}):
        raise OSError("boom")
    assert capacity.has_room()


def test_a_create_on_its_way_counts_until_it_takes_its_place():
    capacity = Capacity(1, lambda: set())
    capacity.note_arrived("t")
    assert not capacity.has_room()
    capacity.note_begun("t")
    assert capacity.has_room()


def test_after_a_refusal_there_is_no_room_until_a_place_comes_free():
    living = {("a", "box")}
    capacity = Capacity(2, lambda: living)
    assert capacity.has_room()
    with pytest.raises(HostFull), capacity.placed({("b", "one"), ("b", "two")}):
        pytest.fail("two machines were put into one place")
    assert not capacity.has_room()
    living.clear()
    assert capacity.has_room()


def test_a_session_that_can_never_fit_is_refused_for_good():
    with pytest.raises(AgentError) as caught, Capacity(1, lambda: set()).placed({("b", "one"), ("b", "two")}):
        pytest.fail("two machines were put on a host for one")
    assert caught.value.reason == "bad-limit"


class Consumer:
    """Stands where Celery's consumer does."""

    def __init__(self):
        self.queues = {protocol.QUEUE_SANDBOXES, "agent.here"}
        self.task_consumer = self

    def consuming_from(self, queue):
        return queue in self.queues

    def add_task_queue(self, queue):
        self.queues.add(queue)

    def cancel_task_queue(self, queue):
        self.queues.discard(queue)

    def call_soon(self, function, *arguments):
        threading.Thread(target=function, args=arguments).start()


def test_a_full_host_stops_taking_new_sandboxes_and_starts_again():
    consumer, room = Consumer(), [False]
    tap = QueueTap(consumer, lambda: room[0])
    tap.sync(wait_seconds=5)
    assert consumer.queues == {"agent.here"}
    tap.sync(wait_seconds=5)
    assert consumer.queues == {"agent.here"}
    room[0] = True
    tap.sync(wait_seconds=5)
    assert consumer.queues == {protocol.QUEUE_SANDBOXES, "agent.here"}


def test_a_worker_between_two_connections_is_left_alone():
    consumer = Consumer()
    consumer.task_consumer = None
    QueueTap(consumer, lambda: False).sync(wait_seconds=5)
    assert protocol.QUEUE_SANDBOXES in consumer.queues


def test_creates_that_wait_for_one_another_are_a_rush_and_it_ends_a_moment_after_them():
    now = [0.0]
    capacity = Capacity(8, lambda: set(), lambda: now[0])
    capacity.note_arrived("t")
    capacity.note_begun("t")
    assert not capacity.is_rush(), "one alone is none"
    with capacity.placed({("a", "box")}):
        assert not capacity.is_rush()
        capacity.note_arrived("t")
        capacity.note_begun("t")
        assert capacity.is_rush()
    assert capacity.is_rush() and not capacity.is_quiet()
    now[0] += RUSH_SECONDS
    assert not capacity.is_rush() and capacity.is_quiet()


def test_a_create_that_comes_back_later_is_no_rush_and_takes_no_place():
    """A resume waits so at a full host, again and again; Celery forgets it when the line to Redis is cut."""
    capacity = Capacity(1, lambda: set())
    process, tap = SimpleNamespace(capacity=capacity), SimpleNamespace(sync_now=lambda: None)
    Control._has_arrived(process, SimpleNamespace(name=protocol.TASK_CREATE, id="a", eta="2026-12-01T00:00:02"), tap)
    assert not capacity.is_rush() and capacity.has_room()
    Control._has_arrived(process, SimpleNamespace(name=protocol.TASK_CREATE, id="b", eta=None), tap)
    assert capacity.is_rush() and not capacity.has_room()
    capacity.note_begun("a")
    assert not capacity.has_room(), "b has not begun"
    capacity.note_begun("b")
    assert not capacity.is_rush() and capacity.has_room()


def test_a_list_of_places_is_kept_for_a_moment_and_never_too_long():
    living, now, asked = {("a", "box")}, [0.0], []
    capacity = Capacity(3, lambda: asked.append(1) or set(living), lambda: now[0], fresh_seconds=1)
    with capacity.placed({("b", "box")}):
        living.add(("b", "box"))
    assert (capacity.used(), len(asked)) == (2, 1)
    with pytest.raises(OSError, match="boom"), capacity.placed({("c", "box")}):
        raise OSError("boom")
    living.clear()
    assert (capacity.used(), len(asked)) == (0, 2)
    living.add(("d", "box"))
    assert capacity.used() == 0
    now[0] += 1
    assert capacity.used() == 1
    living.clear()
    capacity.note_removed()
    assert capacity.has_room() and capacity.used() == 0
