"""One thing at a time for each session, without a thread that waits long for its turn.

A start whose runtime hangs holds its session's turn for most of a minute, and the site repeats what it has heard no answer
to every few seconds. Four waiting messages would be all threads of the host, so whoever can't have the turn soon gets Busy
and comes back. A session that could not be removed rests for a while: trying takes half a minute each time.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT_SECONDS = 1.0
REST_SECONDS = 60.0
FORGOTTEN_SECONDS = 15.0


class Busy(Exception):
    """Not a failure: what was asked for has not begun, and is asked for again."""


class Turns:
    """The locks of all sessions of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._resting: dict[str, float] = {}

    def lock_of(self, session_id: str) -> threading.Lock:
        """For threads of their own, which may wait."""
        return self._locks[session_id]

    @contextmanager
    def take(self, session_id: str) -> Iterator[None]:
        """Hold the session's lock. Raises Busy."""
        if self._clock() < self._resting.get(session_id, 0.0):
            raise Busy(f"{session_id} could not be removed and rests")
        lock = self.lock_of(session_id)
        if not lock.acquire(timeout=WAIT_SECONDS):
            raise Busy(f"{session_id} is being worked on")
        try:
            yield
        finally:
            lock.release()

    def let_rest(self, session_id: str) -> None:
        self._resting = {each: until for each, until in self._resting.items() if self._clock() < until}
        self._resting[session_id] = self._clock() + REST_SECONDS


class Waiting:
    """Which message waits for each run: the site asks again every few seconds for as long as it hears nothing, and if all
    that it says came back again and again, a resume that waits for an hour would be hundreds of messages."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._held: dict[tuple[str, int], tuple[str, float]] = {}
        self._lock = threading.Lock()

    def may_come_back(self, run: tuple[str, int], message: str) -> bool:
        """Is it the one that waits, or the first, or has the one not been seen for a while?"""
        with self._lock:
            now = self._clock()
            self._held = {each: held for each, held in self._held.items() if now - held[1] < FORGOTTEN_SECONDS}
            if self._held.get(run, (message,))[0] != message:
                return False
            self._held[run] = (message, now)
            return True
