"""How a request gets from Daphne to a view and back: in one visit to a thread, which is kept for the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler

MOST_THREADS = 32
"""Requests that are worked on at once, each with a connection to the database; the others wait for their turn, in the order
in which they came. More threads share the same processors and hold more of PostgreSQL's connections, of which there are
100; fewer, and those who wait 3 s for a worker's answer hold up everybody else."""


class OneHopHandler(ASGIHandler):
    """All of our views and most of the middleware are synchronous. Django would run each middleware that can do both as a
    coroutine and send it to a thread twice, and come back in between for WhiteNoise, which can't; that costs more than
    the lesson page itself (docs/performance.md). An asynchronous view would work here too, and pay for its own way.

    Django makes a thread for each request, and so opens the database each time: that costs four times what a lesson's
    page asks of it. Here a request gets the thread that became free last, and a new one only if there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: list[ThreadPoolExecutor] = []
        self.turns = asyncio.Semaphore(MOST_THREADS)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        self._middleware_chain = sync_to_async(self._middleware_chain, thread_sensitive=True)

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]],
                       send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        await self.turns.acquire()
        thread = self.idle.pop() if self.idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await super().__call__(scope, receive, send)
        finally:  # Daphne ends a request 10 s after its reader has gone; the view works on, and so has the thread
            loop = asyncio.get_running_loop()
            thread.submit(int).add_done_callback(lambda _: loop.call_soon_threadsafe(self._take_back, thread))

    def _take_back(self, thread: ThreadPoolExecutor) -> None:
        self.idle.append(thread)
        self.turns.release()
