"""How a request gets from Daphne to a view and back: in one visit to a thread."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler


class OneHopHandler(ASGIHandler):
    """All of our views and most of the middleware are synchronous. Django would run each middleware that can do both as a
    coroutine and send it to a thread twice, and come back in between for WhiteNoise, which can't; that costs more than
    the lesson page itself (docs/performance.md). An asynchronous view would work here too, and pay for its own way."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        self._middleware_chain = sync_to_async(self._middleware_chain, thread_sensitive=True)
