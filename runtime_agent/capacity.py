"""How many sandboxes this host carries, and the tap on the queue ``sandboxes`` that follows from it.

A place is taken from the moment a create message arrives until its sandbox is gone from the disk. While every
place is taken, the worker does not consume ``sandboxes``: that queue is where students wait, in their order, and
where other hosts can take them. The tap is closed in the very turn of the worker's loop that received the last
create there is room for; closing it when the create is *worked* would be too late, because by then Celery has
fetched several more, and putting them back shuffles the queue (measured: 0, 4, 6, 3 instead of 0, 1, 2, 3).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from runtime_agent import protocol
from runtime_agent.errors import AgentError

Place = tuple[str, str]
"""(session id, machine)"""


RUSH_SECONDS = 1.0
"""How long after the last create that had to wait a rush is over."""


class HostFull(Exception):
    """Not a failure: the create goes back to where it came from and waits."""


class Capacity:
    """Counts places. ``living`` lists the places whose sandboxes exist, as the disk has it; a list is good for
    ``fresh_seconds``, because a start asks several times and there may be hundreds."""

    def __init__(self, limit: int, living: Callable[[], Iterable[Place]], clock: Callable[[], float] = time.monotonic,
                 fresh_seconds: float = 0.0):
        self.limit = limit
        self._living, self._clock, self._fresh_seconds = living, clock, fresh_seconds
        self._listed: set[Place] = set()
        self._listed_at = float("-inf")
        self._rushed_at = float("-inf")
        self._placing: set[Place] = set()
        self._arrived: set[str] = set()
        self._refused_at: int | None = None
        self._lock = threading.Lock()

    def used(self) -> int:
        with self._lock:
            return len(self._taken())

    def has_room(self) -> bool:
        """Is there a place that nothing is on its way to? After a refusal, not before a place has come free:
        a session of two machines does not fit into one place, however often it is asked."""
        with self._lock:
            taken = len(self._taken())
            if self._refused_at is not None and taken < self._refused_at:
                self._refused_at = None
            return self._refused_at is None and taken + len(self._arrived) < self.limit

    def is_quiet(self) -> bool:
        """No create is under way or about to be, and no rush has just been."""
        with self._lock:
            return not self._placing and not self._is_rush()

    def is_rush(self) -> bool:
        """Do creates wait for a thread, or did they just now? Then whatever else has time waits for them."""
        with self._lock:
            return self._is_rush()

    def _is_rush(self) -> bool:
        return bool(self._arrived) or self._clock() - self._rushed_at < RUSH_SECONDS

    def note_arrived(self, task_id: str) -> None:
        """A create has been received, waits for nothing but a thread, and is not yet being worked."""
        with self._lock:
            if self._placing or self._arrived:
                self._rushed_at = self._clock()
            self._arrived.add(task_id)

    def note_begun(self, task_id: str) -> None:
        """It is being worked now, and will take its places by ``placed``."""
        with self._lock:
            self._arrived.discard(task_id)

    @contextmanager
    def placed(self, places: Iterable[Place]) -> Iterator[None]:
        """Hold ``places`` while their sandboxes are being made. Raises HostFull if they don't all fit now, and
        AgentError("bad-limit") if they never will.

        Places that are taken by the same session already are not counted twice: a create that is delivered
        again always fits.
        """
        wanted = set(places)
        if len(wanted) > self.limit:
            raise AgentError("bad-limit", f"{len(wanted)} machines, this host carries {self.limit}")
        with self._lock:
            taken = self._taken()
            if len(taken | wanted) > self.limit and not wanted <= taken:
                self._refused_at = len(taken)
                raise HostFull
            self._placing |= wanted
        try:
            yield
        except BaseException:
            self.note_removed()
            raise
        else:
            with self._lock:
                self._listed |= wanted
        finally:
            with self._lock:
                self._placing -= wanted

    def note_removed(self) -> None:
        """Sandboxes have gone: whoever asks next gets a list of now."""
        with self._lock:
            self._listed_at = float("-inf")

    def _taken(self) -> set[Place]:
        if self._clock() - self._listed_at >= self._fresh_seconds:
            self._listed, self._listed_at = set(self._living()), self._clock()
        return self._listed | self._placing


class QueueTap:
    """Opens and closes the worker's consumption of the queues of creates.

    ``consumer`` is Celery's consumer blueprint object (``worker.consumer``); its queues may only be touched in
    the worker's own loop, hence ``call_soon``. ``wanted`` names the queues that this host takes from while it has room.
    """

    def __init__(self, consumer: Any, has_room: Callable[[], bool],
                 wanted: Callable[[], set[str]] = lambda: {protocol.QUEUE_SANDBOXES}):
        self._consumer, self._has_room, self._wanted = consumer, has_room, wanted
        self._known = {protocol.QUEUE_SANDBOXES}

    def sync(self, wait_seconds: float = 0.0) -> None:
        """Consume if there is room, else stop. With ``wait_seconds``, return once the loop has done so."""
        done = threading.Event()
        self._consumer.call_soon(self._sync_in_loop, done)
        if wait_seconds:
            done.wait(wait_seconds)

    def sync_now(self) -> None:
        """The same, for callers in the worker's loop itself."""
        task_consumer = self._consumer.task_consumer
        if task_consumer is None:  # between two connections; it consumes everything when it is back
            return
        wanted = self._wanted() if self._has_room() else set()
        self._known |= wanted
        for queue in sorted(self._known):
            consuming = task_consumer.consuming_from(queue)
            if queue in wanted and not consuming:
                self._consumer.add_task_queue(queue)
            elif consuming and queue not in wanted:
                self._consumer.cancel_task_queue(queue)

    def _sync_in_loop(self, done: threading.Event) -> None:
        self.sync_now()
        done.set()
