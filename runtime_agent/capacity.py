"""How many sandboxes this host carries, and the tap on the queue ``sandboxes`` that follows from it.

A place is taken from the moment a create is accepted until its sandbox is gone from the disk. While every place
is taken, the worker does not consume ``sandboxes``, so that queue is where students wait and other hosts can
take them. At most a handful of messages (the prefetch) slip through in between; they are put back at the head.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from runtime_agent import protocol

Place = tuple[str, str]
"""(session id, machine)"""


class HostFull(Exception):
    """Not a failure: the create goes back to where it came from and waits."""


class Capacity:
    """Counts places. ``living`` lists the places whose sandboxes exist, as the disk has it."""

    def __init__(self, limit: int, living: Callable[[], Iterable[Place]]):
        self.limit = limit
        self._living = living
        self._placing: set[Place] = set()
        self._lock = threading.Lock()

    def used(self) -> int:
        with self._lock:
            return len(self._taken())

    def has_room(self) -> bool:
        return self.used() < self.limit

    @contextmanager
    def placed(self, places: Iterable[Place]) -> Iterator[None]:
        """Hold ``places`` while their sandboxes are being made. Raises HostFull if they don't all fit.

        Places that are taken by the same session already are not counted twice: a create that is delivered
        again always fits.
        """
        wanted = set(places)
        with self._lock:
            if len(self._taken() | wanted) > self.limit and not wanted <= self._taken():
                raise HostFull
            self._placing |= wanted
        try:
            yield
        finally:
            with self._lock:
                self._placing -= wanted

    def _taken(self) -> set[Place]:
        return set(self._living()) | self._placing


class QueueTap:
    """Opens and closes the worker's consumption of ``sandboxes``.

    ``consumer`` is Celery's consumer blueprint object (``worker.consumer``); its queues may only be touched in
    the worker's own loop, hence ``call_soon``.
    """

    def __init__(self, consumer: Any, has_room: Callable[[], bool]):
        self._consumer, self._has_room = consumer, has_room

    def sync(self, wait_seconds: float = 0.0) -> None:
        """Consume if there is room, else stop. With ``wait_seconds``, return once the loop has done so."""
        done = threading.Event()
        self._consumer.call_soon(self._turn, self._has_room(), done)
        if wait_seconds:
            done.wait(wait_seconds)

    def _turn(self, is_open: bool, done: threading.Event) -> None:
        task_consumer = self._consumer.task_consumer
        if task_consumer is not None:
            consuming = task_consumer.consuming_from(protocol.QUEUE_SANDBOXES)
            if is_open and not consuming:
                self._consumer.add_task_queue(protocol.QUEUE_SANDBOXES)
            elif consuming and not is_open:
                self._consumer.cancel_task_queue(protocol.QUEUE_SANDBOXES)
        done.set()
